//! What all functions of one number share: applied to every element, their gradient needs only the slope.

use stampnet_simd::Level;

use crate::parallel::{Change, Elementwise, map, map_in_place};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

/// A function of one number. Mark both methods as `#[inline(always)]`.
pub(crate) trait Function: Copy + Send + Sync + 'static {
    /// Its name as an operation.
    const NAME: &'static str;

    /// Its value at `x`.
    fn value(self, x: f32) -> f32;

    /// Its derivative at `x`, where its value is `y`.
    fn slope(self, x: f32, y: f32) -> f32;
}

impl Tape {
    /// `function` of every element of `x`.
    pub(crate) fn pointwise(&mut self, function: impl Function, x: Var) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        Ok(self.record(Pointwise { function, level: Level::current() }, &[x], shape))
    }
}

struct Pointwise<F> {
    function: F,
    level: Level,
}

#[derive(Clone, Copy)]
struct Value<F>(F);

impl<F: Function> Elementwise<1> for Value<F> {
    #[inline(always)]
    fn apply(self, [x]: [f32; 1]) -> f32 {
        self.0.value(x)
    }
}

#[derive(Clone, Copy)]
struct Slope<F>(F);

impl<F: Function> Change<2> for Slope<F> {
    #[inline(always)]
    fn change(self, grad: f32, [x, y]: [f32; 2]) -> f32 {
        grad * self.0.slope(x, y)
    }
}

impl<F: Function> Op for Pointwise<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        map(self.level, Value(self.function), [inputs.get(0).data()], output);
    }

    fn backward(&mut self, saved: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let (x, y) = (saved.input(0), saved.output());
        grads.pass(0, grad_output, |grad| map_in_place(self.level, Slope(self.function), [x.data(), y.data()], grad));
    }
}
