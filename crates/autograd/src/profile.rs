//! Where a tape's time goes: what each operation took, forward and for each gradient.
//!
//! Recording costs two readings of the clock an operation, and nothing but a test while it is off.

use std::time::{Duration, Instant};

use crate::Tape;
use crate::node::Node;

/// A part of an operation's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// The values.
    Forward,
    /// The gradient of the input at this position.
    Gradient(usize),
    /// What all gradients need first, such as that of an activation.
    Backward,
}

/// What one part of one operation took, over all runs since [`Tape::start_profile`].
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileEntry<'a> {
    /// What [`Tape::label`] said of the operation; nothing if nobody did.
    pub label: &'a str,
    /// The operation's name.
    pub op: &'static str,
    /// Whether the operation is a product of its first two inputs: their gradients are then products, too.
    pub is_product: bool,
    /// Which part.
    pub work: Work,
    /// Time of all runs together.
    pub time: Duration,
    /// Floating-point operations of a run, as the definition counts them: a multiply-add is two. 0 where there are no
    /// products.
    pub operations: f64,
    /// Bytes that a run must read and write at least: each array once.
    pub bytes: f64,
}

/// Times of one operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) forward: Duration,
    pub(crate) backward: Duration,
    /// By input; those are part of `backward`, too.
    pub(crate) gradients: Vec<Duration>,
}

/// Times of all operations of a tape.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    times: Vec<Times>,
}

impl Profile {
    pub(crate) fn new(nodes: &[Node]) -> Self {
        let times =
            nodes.iter().map(|node| Times { gradients: vec![Duration::ZERO; node.inputs.len()], ..Times::default() });
        Self { times: times.collect() }
    }

    /// The times of node `i`; none for one recorded since.
    pub(crate) fn times_mut(&mut self, i: usize) -> Option<&mut Times> {
        self.times.get_mut(i)
    }

    /// What took time, in the order of the recording.
    pub(crate) fn entries<'a>(&'a self, nodes: &'a [Node], labels: &'a [String]) -> Vec<ProfileEntry<'a>> {
        let mut entries = Vec::new();
        for (i, (node, times)) in nodes.iter().zip(&self.times).enumerate() {
            let Some(op) = &node.op else { continue };
            let sizes = Sizes { node, nodes };
            let operations = op.operations();
            let entry = |work, time| ProfileEntry {
                label: labels.get(i).map_or("", String::as_str),
                op: op.name(),
                is_product: operations > 0.0,
                work,
                time,
                operations: if matches!(work, Work::Forward | Work::Gradient(0 | 1)) { operations } else { 0.0 },
                bytes: sizes.bytes(work),
            };
            entries.push(entry(Work::Forward, times.forward));
            let of_inputs = (0..).zip(&times.gradients).map(|(input, &time)| entry(Work::Gradient(input), time));
            entries.extend(of_inputs);
            let rest = times.backward.saturating_sub(times.gradients.iter().sum());
            entries.push(entry(Work::Backward, rest));
        }
        entries.retain(|entry| !entry.time.is_zero());
        entries
    }
}

impl Tape {
    /// Says that the values from number `first` on, as [`len`](Self::len) counts them, are part of `label`: a layer. What has
    /// a label keeps it.
    pub fn label(&mut self, first: usize, label: &str) {
        self.labels.resize(self.nodes.len(), String::new());
        for own in self.labels[first..].iter_mut().filter(|own| own.is_empty()) {
            label.clone_into(own);
        }
    }

    /// Times every operation from now on, from zero.
    pub fn start_profile(&mut self) {
        self.profile = Some(Profile::new(&self.nodes));
    }

    /// What the operations took since [`start_profile`](Self::start_profile), in the order of the recording; nothing if that
    /// was never called.
    pub fn profile(&self) -> Vec<ProfileEntry<'_>> {
        self.profile.as_ref().map_or_else(Vec::new, |profile| profile.entries(&self.nodes, &self.labels))
    }
}

/// How much an operation reads and writes.
struct Sizes<'a> {
    node: &'a Node,
    nodes: &'a [Node],
}

impl Sizes<'_> {
    fn input(&self, i: usize) -> usize {
        self.nodes[self.node.inputs[i].index()].shape.len()
    }

    fn bytes(&self, work: Work) -> f64 {
        let output = self.node.shape.len();
        let inputs = 0..self.node.inputs.len();
        let elements = match work {
            Work::Forward => inputs.map(|i| self.input(i)).sum::<usize>() + output,
            // A product's gradient takes the other factor.
            Work::Gradient(i) if i < 2 => inputs.take(2).map(|j| self.input(j)).sum::<usize>() + output,
            Work::Gradient(i) => self.input(i) + output,
            Work::Backward => 2 * output,
        };
        (elements * size_of::<f32>()) as f64
    }
}

/// Runs `work` and adds its time to `time`, if times are kept.
#[inline]
pub(crate) fn timed<R>(time: Option<&mut Duration>, work: impl FnOnce() -> R) -> R {
    let Some(time) = time else { return work() };
    let start = Instant::now();
    let result = work();
    *time += start.elapsed();
    result
}

#[cfg(test)]
mod tests {
    use stampnet_conv::Activation;
    use stampnet_tensor::Tensor;

    use super::*;
    use crate::{AutogradError, Mode};

    #[test]
    fn parts_of_operations_are_told_apart() -> Result<(), AutogradError> {
        let mut tape = Tape::new(Mode::Training);
        let x = tape.variable(Tensor::zeros(stampnet_tensor::Shape::new(&[2, 3])?));
        let weight = tape.variable(Tensor::zeros(stampnet_tensor::Shape::new(&[3, 5])?));
        let first = tape.len();
        let y = tape.dense(x, weight, None, Activation::Relu)?;
        tape.label(first, "layer");
        let loss = tape.mean(y)?;
        tape.label(first, "later");
        assert!(tape.profile().is_empty(), "nobody asked");
        tape.start_profile();
        for step in 0..200 {
            tape.replay(step);
            tape.zero_grad();
            tape.backward(loss)?;
        }
        let profile = tape.profile();
        let of = |label| profile.iter().filter(move |entry| entry.label == label);
        let works: Vec<Work> = of("layer").map(|entry| entry.work).collect();
        assert_eq!(works, [Work::Forward, Work::Gradient(0), Work::Gradient(1), Work::Backward]);
        assert!(of("later").all(|entry| !entry.is_product && entry.operations == 0.0) && of("later").count() > 0);
        let entry = of("layer").next().expect("the first one");
        assert_eq!((entry.op, entry.is_product, entry.operations), ("dense", true, 60.0));
        assert_eq!(entry.bytes, 4.0 * (6 + 15 + 10) as f64);
        let bias = of("layer").next_back().expect("the last one");
        assert_eq!((bias.operations, bias.bytes), (0.0, 80.0));
        Ok(())
    }
}
