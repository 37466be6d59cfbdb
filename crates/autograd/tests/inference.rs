//! Tapes for inference: what follows from weights alone, and batch normalization folded into them.

mod common;

use common::random;
use stampnet_autograd::{BatchNorm, InputGrads, Inputs, Mode, Op, Saved, Step, Tape, Var};
use stampnet_conv::Activation;
use stampnet_geometry::{ConvOptions, Padding};
use stampnet_tensor::Tensor;

/// Adds 1 to the first element, and counts its runs in the second.
struct Counting;

impl Op for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        output[0] = inputs.get(0).data()[0] + 1.0;
        output[1] += 1.0;
    }

    fn backward(&mut self, _: &Saved<'_>, _: &mut [f32], _: &mut InputGrads<'_>) {}
}

#[test]
fn what_follows_from_weights_alone_runs_when_they_change() {
    for (mode, runs) in [(Mode::Inference, 2.0), (Mode::Training, 4.0)] {
        let mut tape = Tape::new(mode);
        let numbers = || Tensor::from_vec([2], vec![1.0, 0.0]).unwrap();
        let (x, weight) = (tape.input(numbers()), tape.variable(numbers()));
        let shape = tape.shape(x);
        let of_weight = tape.record(Counting, &[weight], shape);
        let of_input = tape.record(Counting, &[x], shape);
        let of_both = tape.add(of_weight, of_input).unwrap();
        tape.leaf_mut(weight)[0] = 5.0;
        tape.replay(1);
        assert_eq!(tape.value(of_both).data(), [8.0, 4.0], "{mode:?}");
        tape.leaf_mut(x)[0] = 7.0;
        tape.replay_inputs(2);
        tape.replay_inputs(3);
        assert_eq!(tape.value(of_weight).data(), [6.0, runs], "{mode:?}");
        assert_eq!(tape.value(of_input).data(), [8.0, 4.0], "{mode:?}");
        assert_eq!(tape.value(of_both).data(), [14.0, runs + 4.0], "{mode:?}");
    }
}

/// A convolution's operands, and batch normalization with or without each of its parameters.
struct Case {
    has_bias: bool,
    has_gamma: bool,
    has_beta: bool,
}

const CHANNELS: usize = 7;
const EPSILON: f32 = 1e-3;

impl Case {
    fn kernel() -> Tensor {
        random(&[3, 2, 4, CHANNELS], 2)
    }

    fn vector(seed: u64, middle: f32) -> Tensor {
        let mut vector = random(&[CHANNELS], seed);
        vector.data_mut().iter_mut().for_each(|x| *x = middle + 0.9 * *x);
        vector
    }

    fn parameters(&self) -> [Option<Tensor>; 5] {
        let of = |is_there: bool, seed, middle| is_there.then(|| Self::vector(seed, middle));
        [
            of(self.has_bias, 3, 0.0),
            of(self.has_gamma, 4, 0.0),
            of(self.has_beta, 5, 0.0),
            of(true, 6, 0.0),
            of(true, 7, 1.0),
        ]
    }

    /// The convolution with its normalization, folded or not, by way of the absolute values of all that is summed or not.
    fn run(&self, is_folded: bool, is_absolute: bool) -> Vec<f32> {
        let mut tape = Tape::new(Mode::Inference);
        let size = |mut tensor: Tensor| {
            if is_absolute {
                tensor.data_mut().iter_mut().for_each(|x| *x = x.abs());
            }
            tensor
        };
        let x = tape.input(size(random(&[2, 5, 6, 4], 1)));
        let kernel = tape.variable(size(Self::kernel()));
        let [bias, gamma, beta, mean, variance] = self.parameters();
        let variable = |tape: &mut Tape, value: Option<Tensor>| value.map(|value| tape.variable(size(value)));
        let (bias, gamma, beta) = (variable(&mut tape, bias), variable(&mut tape, gamma), variable(&mut tape, beta));
        // Distances from the mean become sums.
        let sign = if is_absolute { -1.0 } else { 1.0 };
        let mut mean = size(mean.unwrap());
        mean.data_mut().iter_mut().for_each(|x| *x *= sign);
        let (moving_mean, moving_variance) = (tape.state(mean), tape.state(variance.unwrap()));
        let norm = BatchNorm { gamma, beta, moving_mean, moving_variance, momentum: 0.9, epsilon: EPSILON };
        let options = ConvOptions::new(CHANNELS, (3, 2)).padding(Padding::Same);
        let conv =
            |tape: &mut Tape, kernel: Var, bias| tape.conv2d(x, kernel, bias, &options, Activation::Linear).unwrap();
        let y = if is_folded {
            let (kernel, bias) = tape.fold_batch_norm(kernel, bias, norm).unwrap();
            conv(&mut tape, kernel, Some(bias))
        } else {
            let y = conv(&mut tape, kernel, bias);
            tape.batch_norm(y, norm).unwrap()
        };
        tape.value(y).data().to_vec()
    }
}

/// Twice the bound of the module `fold_norm`, one for each way.
#[test]
fn batch_normalization_is_folded_within_the_bound() {
    let terms = (3 * 2 * 4) as f32;
    for i in 0..8 {
        let case = Case { has_bias: i & 1 > 0, has_gamma: i & 2 > 0, has_beta: i & 4 > 0 };
        let (got, want, sizes) = (case.run(true, false), case.run(false, false), case.run(false, true));
        for ((got, want), size) in got.iter().zip(&want).zip(&sizes) {
            let bound = 2.0 * (terms + 8.0) * 2.0_f32.powi(-24) * size;
            assert!((got - want).abs() <= bound, "case {i}: {got}, unfolded {want}, bound {bound}");
        }
        assert_ne!(got, want, "case {i} has no rounding to be seen");
    }
}

#[test]
fn nothing_is_folded_in_training() {
    let mut tape = Tape::new(Mode::Training);
    let kernel = tape.variable(Case::kernel());
    let [moving_mean, moving_variance] = [6, 7].map(|seed| Case::vector(seed, 1.0)).map(|value| tape.state(value));
    let norm = BatchNorm { gamma: None, beta: None, moving_mean, moving_variance, momentum: 0.9, epsilon: EPSILON };
    let text = tape.fold_batch_norm(kernel, None, norm).unwrap_err().to_string();
    assert_eq!(text, "fold_batch_norm needs a tape made with Mode::Inference; this one was made for training");
}
