//! The definition, written as loops: the oracle of every other algorithm.
//!
//! Sums are `f64`. The window arithmetic is this file's own, from stride, dilation and the pads before, and takes nothing
//! from the geometry's methods that the fast kernels use, so that the two can disagree.

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::{Activation, Declined, Forward, GradInput, GradWeight, Pass};

pub(crate) struct Reference;

impl Algorithm for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn accepts(&self, _: &ConvGeometry, _: Pass) -> Result<(), Declined> {
        Ok(())
    }

    fn workspace(&self, _: &ConvGeometry, _: Pass, _: Level) -> usize {
        0
    }

    fn forward(&self, site: Site<'_>, arguments: Forward<'_>) {
        let Forward { input, weight, bias, activation, output } = arguments;
        for (at, out) in output.iter_mut().enumerate() {
            let place = Place::of(site.geometry, at);
            let mut sum = bias.map_or(0.0, |bias| f64::from(bias[place.o]));
            each_product(site.geometry, &place, |input_at, weight_at| {
                sum += f64::from(input[input_at]) * f64::from(weight[weight_at]);
            });
            *out = match activation {
                Activation::Relu if sum <= 0.0 => 0.0,
                _ => sum as f32,
            };
        }
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        let GradInput { grad_output, weight, grad_input } = arguments;
        let mut sums = vec![0.0_f64; grad_input.len()];
        for (at, &grad) in grad_output.iter().enumerate() {
            each_product(site.geometry, &Place::of(site.geometry, at), |input_at, weight_at| {
                sums[input_at] += f64::from(grad) * f64::from(weight[weight_at]);
            });
        }
        store(&sums, grad_input);
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        let GradWeight { input, grad_output, grad_weight } = arguments;
        let mut sums = vec![0.0_f64; grad_weight.len()];
        for (at, &grad) in grad_output.iter().enumerate() {
            each_product(site.geometry, &Place::of(site.geometry, at), |input_at, weight_at| {
                sums[weight_at] += f64::from(input[input_at]) * f64::from(grad);
            });
        }
        store(&sums, grad_weight);
    }
}

/// Where an output element stands.
struct Place {
    n: usize,
    y: usize,
    x: usize,
    o: usize,
}

impl Place {
    fn of(g: &ConvGeometry, at: usize) -> Self {
        let (oh, ow, oc) = (g.h().output(), g.w().output(), g.oc());
        Self { n: at / oc / ow / oh, y: at / oc / ow % oh, x: at / oc % ow, o: at % oc }
    }
}

/// Calls `visit(input index, weight index)` for every product in the sum of the output at `place`.
fn each_product(g: &ConvGeometry, place: &Place, mut visit: impl FnMut(usize, usize)) {
    let &Place { n, y, x, o } = place;
    let (group_c, group) = (g.c() / g.groups(), o / (g.oc() / g.groups()));
    for p in 0..g.h().kernel() {
        for q in 0..g.w().kernel() {
            let i = (y * g.h().stride() + p * g.h().dilation()) as i128 - g.h().before() as i128;
            let j = (x * g.w().stride() + q * g.w().dilation()) as i128 - g.w().before() as i128;
            if i < 0 || j < 0 || i >= g.h().input() as i128 || j >= g.w().input() as i128 {
                continue;
            }
            let input_at = ((n * g.h().input() + i as usize) * g.w().input() + j as usize) * g.c() + group * group_c;
            let weight_at = (p * g.w().kernel() + q) * group_c * g.oc() + o;
            for c in 0..group_c {
                visit(input_at + c, weight_at + c * g.oc());
            }
        }
    }
}

fn store(sums: &[f64], out: &mut [f32]) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        *out = sum as f32;
    }
}
