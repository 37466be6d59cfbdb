//! What the tape does with operations: sums of gradients, replays, sharing.

mod common;

use common::{batch_norm, labels, random};
use stampnet_autograd::{AutogradError, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Targets, Var};
use stampnet_conv::Activation;
use stampnet_geometry::{ConvOptions, Padding, PoolOptions};
use stampnet_tensor::Tensor;

fn tensor(values: &[f32]) -> Tensor {
    Tensor::from_slice([values.len()], values).unwrap()
}

fn grad(tape: &Tape, var: Var) -> Vec<f32> {
    tape.grad(var).expect("a gradient").data().to_vec()
}

#[test]
fn a_shared_input_gets_the_sum_of_its_gradients() {
    let mut tape = Tape::new(Mode::Training);
    let x = tape.variable(tensor(&[1.0, -2.0]));
    let squares = tape.mul(x, x).unwrap();
    let cubes = tape.mul(squares, x).unwrap();
    let all = tape.add(squares, cubes).unwrap();
    let all = tape.add(all, x).unwrap();
    let loss = tape.sum(all).unwrap();
    tape.backward(loss).unwrap();
    // The slope of x² + x³ + x.
    assert_eq!(grad(&tape, x), [1.0 + 2.0 + 3.0, 1.0 - 4.0 + 12.0]);
}

#[test]
fn gradients_add_up_until_they_are_cleared() {
    let mut tape = Tape::new(Mode::Training);
    let x = tape.variable(tensor(&[3.0]));
    let squares = tape.mul(x, x).unwrap();
    let loss = tape.sum(squares).unwrap();
    assert!(tape.grad(x).is_none());
    for calls in 1..=3 {
        tape.backward(loss).unwrap();
        assert_eq!(grad(&tape, x), [6.0 * calls as f32]);
    }
    tape.zero_grad();
    assert!(tape.grad(x).is_none());
    tape.backward(loss).unwrap();
    assert_eq!(grad(&tape, x), [6.0]);
}

#[test]
fn two_losses_add_their_gradients() {
    let mut tape = Tape::new(Mode::Training);
    let x = tape.variable(tensor(&[1.0, 2.0]));
    let squares = tape.mul(x, x).unwrap();
    let (sum, mean) = (tape.sum(squares).unwrap(), tape.mean(squares).unwrap());
    tape.backward(sum).unwrap();
    tape.backward(mean).unwrap();
    assert_eq!(grad(&tape, x), [3.0, 6.0]);
}

#[test]
fn a_loss_that_depends_on_no_variable_has_no_gradients() {
    let mut tape = Tape::new(Mode::Training);
    let (constant, unused) = (tape.input(tensor(&[1.0])), tape.variable(tensor(&[1.0])));
    let loss = tape.sum(constant).unwrap();
    tape.backward(loss).unwrap();
    assert!(tape.grad(constant).is_none() && tape.grad(unused).is_none());
}

/// Passes its first input on, and records which inputs wanted a gradient.
struct Probe(std::sync::Arc<std::sync::Mutex<Vec<bool>>>);

impl Op for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        output.copy_from_slice(inputs.get(0).data());
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        *self.0.lock().unwrap() = (0..4).map(|i| grads.wants(i)).collect();
        for i in 0..4 {
            grads.give(i, |grad| grad.copy_from_slice(grad_output));
        }
    }
}

#[test]
fn only_what_is_needed_is_computed() {
    let wanted = std::sync::Arc::default();
    let mut tape = Tape::new(Mode::Training);
    let (variable, input, state) =
        (tape.variable(tensor(&[1.0])), tape.input(tensor(&[2.0])), tape.state(tensor(&[3.0])));
    let computed = tape.mul(variable, input).unwrap();
    let shape = tape.shape(input);
    let probed = tape.record(Probe(std::sync::Arc::clone(&wanted)), &[input, variable, state, computed], shape);
    let loss = tape.sum(probed).unwrap();
    tape.backward(loss).unwrap();
    assert_eq!(*wanted.lock().unwrap(), [false, true, false, true]);
    assert!(tape.grad(input).is_none() && tape.grad(state).is_none());
    assert_eq!(grad(&tape, variable), [1.0 + 2.0]);
}

#[test]
fn a_reshaped_value_shares_value_and_gradient() {
    let mut tape = Tape::new(Mode::Training);
    let x = tape.variable(Tensor::from_vec([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap());
    let flat = tape.reshape(x, &[6]).unwrap();
    let tall = tape.reshape(flat, &[3, 2]).unwrap();
    assert_eq!(tape.value(x).data().as_ptr(), tape.value(tall).data().as_ptr());
    let squares = tape.mul(tall, tall).unwrap();
    let (a, b) = (tape.sum(squares).unwrap(), tape.sum(x).unwrap());
    let loss = tape.add(a, b).unwrap();
    tape.backward(loss).unwrap();
    assert_eq!(tape.grad(x).unwrap().dims(), [2, 3]);
    assert_eq!(tape.grad(tall).unwrap().dims(), [3, 2]);
    assert_eq!(grad(&tape, x), [3.0, 5.0, 7.0, 9.0, 11.0, 13.0]);

    tape.leaf_mut(x)[0] = 10.0;
    tape.replay(1);
    assert_eq!(tape.value(flat).data()[0], 10.0);
    assert_eq!(tape.value(loss).data(), [100.0 + 4.0 + 9.0 + 16.0 + 25.0 + 36.0 + 30.0]);
}

/// One step of a network with every kind of operation.
struct Network {
    x: Var,
    labels: Var,
    variables: Vec<Var>,
    loss: Var,
}

fn network(tape: &mut Tape, x: Tensor, labels: Tensor) -> Result<Network, AutogradError> {
    let (x, labels) = (tape.input(x), tape.input(labels));
    let mut variables = Vec::new();
    let mut variable = |tape: &mut Tape, dims: &[usize]| {
        variables.push(tape.variable(random(dims, variables.len() as u64)));
        variables[variables.len() - 1]
    };
    let (weight, bias) = (variable(tape, &[3, 2, 2, 4]), variable(tape, &[4]));
    let options = ConvOptions::new(4, (3, 2)).padding(Padding::Same);
    let y = tape.conv2d(x, weight, Some(bias), &options, Activation::Relu)?;
    let (gamma, beta) = (variable(tape, &[4]), variable(tape, &[4]));
    let y = batch_norm(tape, y, Some(gamma), Some(beta))?;
    let y = tape.max_pool2d(y, &PoolOptions::new(2))?;
    let y = tape.tanh(y)?;
    let y = tape.reshape(y, &[2, 3 * 3 * 4])?;
    let y = tape.dropout(y, 0.3, 1)?;
    let (weight, bias) = (variable(tape, &[36, 5]), variable(tape, &[5]));
    let y = tape.dense(y, weight, Some(bias), Activation::Linear)?;
    let losses = tape.softmax_cross_entropy(y, Targets::labels(labels))?;
    let loss = tape.mean(losses)?;
    Ok(Network { x, labels, variables, loss })
}

#[test]
fn replaying_equals_recording_anew() {
    let batches = [10, 11, 12].map(|seed| random(&[2, 6, 7, 2], seed));
    let mut replayed = Tape::with_seed(Mode::Training, 7);
    let step = network(&mut replayed, random(&[2, 6, 7, 2], 9), labels(2, 5)).unwrap();
    for (index, batch) in batches.into_iter().enumerate() {
        replayed.leaf_mut(step.x).copy_from_slice(batch.data());
        replayed.leaf_mut(step.labels).copy_from_slice(&[index as f32, 4.0]);
        replayed.zero_grad();
        replayed.replay(index as u64);
        replayed.backward(step.loss).unwrap();

        let mut fresh = Tape::with_seed(Mode::Training, 7);
        let other = network(&mut fresh, batch, tensor(&[index as f32, 4.0])).unwrap();
        // What is dropped depends on the step, so the fresh tape goes to the same one.
        fresh.replay(index as u64);
        fresh.backward(other.loss).unwrap();
        assert_eq!(replayed.value(step.loss), fresh.value(other.loss));
        for (a, b) in step.variables.iter().zip(&other.variables) {
            assert_eq!(replayed.grad(*a), fresh.grad(*b));
        }
    }
}

#[test]
fn leaves_can_be_swapped_between_tapes() {
    let mut weight = tensor(&[2.0]);
    let mut losses = Vec::new();
    for mode in [Mode::Training, Mode::Inference] {
        let mut tape = Tape::new(mode);
        let w = tape.variable(tensor(&[0.0]));
        let squares = tape.mul(w, w).unwrap();
        let loss = tape.sum(squares).unwrap();
        tape.swap(w, &mut weight);
        tape.replay(0);
        losses.push(tape.value(loss).data()[0]);
        assert_eq!(tape.needs_grad(loss), mode == Mode::Training);
        tape.swap(w, &mut weight);
    }
    assert_eq!(losses, [4.0, 4.0]);
    assert_eq!(weight.data(), [2.0]);
}

#[test]
fn an_optimizer_sees_a_variable_beside_its_gradient() {
    let mut tape = Tape::new(Mode::Training);
    let x = tape.variable(tensor(&[1.0, 2.0]));
    let squares = tape.mul(x, x).unwrap();
    let loss = tape.mean(squares).unwrap();
    assert!(tape.value_and_grad(x).is_none());
    for step in 0..50 {
        tape.zero_grad();
        tape.replay(step);
        tape.backward(loss).unwrap();
        let (value, grad) = tape.value_and_grad(x).unwrap();
        value.iter_mut().zip(grad).for_each(|(x, g)| *x -= 0.4 * g);
    }
    assert!(tape.value(x).data().iter().all(|x| x.abs() < 1e-6));
}

#[test]
#[should_panic(expected = "only leaves can be changed")]
fn computed_values_cannot_be_changed() {
    let mut tape = Tape::new(Mode::Training);
    let x = tape.variable(tensor(&[1.0]));
    let y = tape.scale(x, 2.0).unwrap();
    tape.leaf_mut(y);
}

#[test]
fn a_tape_prints_its_record() {
    let mut tape = Tape::new(Mode::Training);
    let (x, weight) = (tape.input(tensor(&[1.0, 2.0])), tape.variable(random(&[2, 3], 1)));
    let x = tape.reshape(x, &[1, 2]).unwrap();
    let y = tape.dense(x, weight, None, Activation::Relu).unwrap();
    batch_norm(&mut tape, y, None, None).unwrap();
    let want = "0: input (2,)\n1: variable (2, 3)\n2: reshape (1, 2) of 0\n3: dense (1, 3) of 2, 1\n\
                4: state (3,)\n5: state (3,)\n6: batch_norm (1, 3) of 3, 4, 5\n";
    assert_eq!(format!("{tape:?}"), want);
}
