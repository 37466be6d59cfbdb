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
        let g = site.geometry;
        let [_, oh, ow, oc] = g.output().dims();
        for (at, out) in arguments.output.iter_mut().enumerate() {
            let (n, y, x, o) = (at / (oh * ow * oc), at / (ow * oc) % oh, at / oc % ow, at % oc);
            let mut sum = arguments.bias.map_or(0.0, |bias| f64::from(bias[o]));
            each_tap(g, y, x, o, |i, j, c, weight_at| {
                let input_at = ((n * g.h().input() + i) * g.w().input() + j) * g.c() + c;
                sum += f64::from(arguments.input[input_at]) * f64::from(arguments.weight[weight_at]);
            });
            *out = match arguments.activation {
                Activation::Relu if sum <= 0.0 => 0.0,
                _ => sum as f32,
            };
        }
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        let g = site.geometry;
        let mut sums = vec![0.0_f64; arguments.grad_input.len()];
        each_product(g, |input_at, weight_at, output_at| {
            sums[input_at] += f64::from(arguments.grad_output[output_at]) * f64::from(arguments.weight[weight_at]);
        });
        store(&sums, arguments.grad_input);
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        let g = site.geometry;
        let mut sums = vec![0.0_f64; arguments.grad_weight.len()];
        each_product(g, |input_at, weight_at, output_at| {
            sums[weight_at] += f64::from(arguments.input[input_at]) * f64::from(arguments.grad_output[output_at]);
        });
        store(&sums, arguments.grad_weight);
    }
}

/// Calls `visit(row, column, channel, weight index)` for every input element that output `(y, x, o)` of a sample reads.
fn each_tap(g: &ConvGeometry, y: usize, x: usize, o: usize, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let (group_c, group) = (g.c() / g.groups(), o / (g.oc() / g.groups()));
    for p in 0..g.h().kernel() {
        for q in 0..g.w().kernel() {
            let i = (y * g.h().stride() + p * g.h().dilation()) as i128 - g.h().before() as i128;
            let j = (x * g.w().stride() + q * g.w().dilation()) as i128 - g.w().before() as i128;
            if i < 0 || j < 0 || i >= g.h().input() as i128 || j >= g.w().input() as i128 {
                continue;
            }
            for c in 0..group_c {
                let weight_at = ((p * g.w().kernel() + q) * group_c + c) * g.oc() + o;
                visit(i as usize, j as usize, group * group_c + c, weight_at);
            }
        }
    }
}

/// Calls `visit(input index, weight index, output index)` for every product of the convolution.
fn each_product(g: &ConvGeometry, mut visit: impl FnMut(usize, usize, usize)) {
    let [n, oh, ow, oc] = g.output().dims();
    for output_at in 0..n * oh * ow * oc {
        let (n, y, x, o) =
            (output_at / (oh * ow * oc), output_at / (ow * oc) % oh, output_at / oc % ow, output_at % oc);
        each_tap(g, y, x, o, |i, j, c, weight_at| {
            visit(((n * g.h().input() + i) * g.w().input() + j) * g.c() + c, weight_at, output_at);
        });
    }
}

fn store(sums: &[f64], out: &mut [f32]) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        *out = sum as f32;
    }
}
