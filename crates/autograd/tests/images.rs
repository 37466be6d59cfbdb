//! Margins, larger images, and pooling to a given size: small examples, and gradients against finite differences.

mod common;

use common::{random, run};
use proptest::prelude::*;
use stampnet_autograd::{AutogradError, Margins, Resampling, Tape, Var, check_gradients};
use stampnet_geometry::Size;
use stampnet_tensor::Tensor;

fn tensor(dims: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_slice(dims, values).unwrap()
}

#[test]
fn margins_by_hand() {
    let margins = Margins { top: 1, bottom: 0, left: 0, right: 2 };
    let padded = run(&[tensor(&[1, 1, 2, 1], &[3.0, 4.0])], |tape, v| tape.zero_pad2d(v[0], margins));
    assert_eq!(padded.value, [0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
    assert_eq!(padded.grads[0], [6.0, 8.0]);
    let cropped = run(&[tensor(&[1, 2, 3, 1], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])], |tape, v| tape.crop2d(v[0], margins));
    assert_eq!(cropped.value, [4.0]);
    assert_eq!(cropped.grads[0], [0.0, 0.0, 0.0, 8.0, 0.0, 0.0]);
}

#[test]
fn larger_images_by_hand() {
    let image = || tensor(&[1, 2, 1, 1], &[0.0, 4.0]);
    let nearest = run(&[image()], |tape, v| tape.upsample2d(v[0], (2, 1).into(), Resampling::Nearest));
    assert_eq!(nearest.value, [0.0, 0.0, 4.0, 4.0]);
    let linear = run(&[image()], |tape, v| tape.upsample2d(v[0], (2, 1).into(), Resampling::Bilinear));
    assert_eq!(linear.value, [0.0, 1.0, 3.0, 4.0]);
}

#[test]
fn a_nan_wins_and_equal_numbers_share() {
    let nan = tensor(&[1, 1, 3, 1], &[1.0, f32::NAN, 2.0]);
    let got = run(&[nan], |tape, v| tape.adaptive_max_pool2d(v[0], Size { h: 1, w: 2 })).value;
    assert!(got[0].is_nan() && got[1].is_nan());
    let (a, b) = (tensor(&[3], &[1.0, 2.0, f32::NAN]), tensor(&[3], &[1.0, 3.0, 0.0]));
    let larger = run(&[a, b], |tape, v| tape.maximum(v[0], v[1]));
    assert_eq!(larger.value[..2], [1.0, 3.0]);
    assert!(larger.value[2].is_nan());
    assert_eq!((larger.grads[0][0], larger.grads[1][0]), (1.0, 1.0), "half of the gradient each");
    assert_eq!((larger.grads[0][1], larger.grads[1][1]), (0.0, 6.0));
}

type Record<'a> = dyn Fn(&mut Tape, Var) -> Result<Var, AutogradError> + 'a;

fn image() -> impl Strategy<Value = [usize; 4]> {
    [1..=2_usize, 1..=6_usize, 1..=5_usize, 1..=3_usize]
}

/// Numbers that differ by more than the step of the differences, in random order.
fn distinct(dims: &[usize], seed: u64) -> Tensor {
    let mut tensor = random(dims, seed);
    let mut order: Vec<usize> = (0..tensor.data().len()).collect();
    order.sort_by(|&a, &b| tensor.data()[a].total_cmp(&tensor.data()[b]));
    for (rank, at) in order.into_iter().enumerate() {
        tensor.data_mut()[at] = 0.02 * rank as f32 - 1.0;
    }
    tensor
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients(dims in image(), margins in [0..=2_usize, 0..=2_usize, 0..=2_usize, 0..=2_usize], seed: u64) {
        let [top, bottom, left, right] = margins;
        let margins = Margins { top, bottom, left, right };
        let size = Size { h: 1 + bottom, w: 1 + right };
        let checks: [(&str, &Record<'_>); 9] = [
            ("zero_pad2d", &|tape, x| tape.zero_pad2d(x, margins)),
            ("crop2d", &|tape, x| {
                let larger = tape.zero_pad2d(x, Margins { top: 2, bottom: 2, left: 2, right: 2 })?;
                let inner = tape.mul(larger, larger)?;
                tape.crop2d(inner, margins)
            }),
            ("nearest", &|tape, x| tape.upsample2d(x, size, Resampling::Nearest)),
            ("bilinear", &|tape, x| tape.upsample2d(x, size, Resampling::Bilinear)),
            ("bicubic", &|tape, x| tape.upsample2d(x, size, Resampling::Bicubic)),
            ("lanczos3", &|tape, x| tape.upsample2d(x, size, Resampling::Lanczos3)),
            ("lanczos5", &|tape, x| tape.upsample2d(x, size, Resampling::Lanczos5)),
            ("adaptive_avg_pool2d", &|tape, x| tape.adaptive_avg_pool2d(x, size)),
            ("adaptive_max_pool2d", &|tape, x| tape.adaptive_max_pool2d(x, size)),
        ];
        for (name, record) in checks {
            let checked = check_gradients(|tape, v| record(tape, v[0]), &[distinct(&dims, seed)]);
            prop_assert!(checked.is_ok(), "{name}: {}", checked.unwrap_err());
        }
        let pair = distinct(&[2, dims[1], dims[2], dims[3]], seed);
        let (a, b) = pair.data().split_at(pair.data().len() / 2);
        let both = [tensor(&[a.len()], a), tensor(&[b.len()], b)];
        let checked = check_gradients(|tape, v| tape.maximum(v[0], v[1]), &both);
        prop_assert!(checked.is_ok(), "maximum: {}", checked.unwrap_err());
    }
}
