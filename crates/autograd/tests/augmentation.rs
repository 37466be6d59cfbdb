//! Operations that change images at random: where nothing is left to chance, Keras's values.

mod common;

use common::random;
use stampnet_autograd::{AutogradError, Contrast, Erase, Fill, Interpolation, Mode, Tape, Var, Warp, check_gradients};
use stampnet_tensor::Tensor;

/// An image of 4 x 5 pixels.
const IMAGE: [f32; 20] =
    [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0, 9.0, 7.0, 9.0, 3.0, 2.0, 3.0, 8.0, 4.0];

type Change = fn(&mut Tape, Var) -> Result<Var, AutogradError>;

/// What `change` makes of `n` copies of the image in one step of a training.
fn changed(n: usize, step: u64, change: impl Fn(&mut Tape, Var) -> Result<Var, AutogradError>) -> Vec<f32> {
    let mut tape = Tape::with_seed(Mode::Training, 5);
    let x = tape.input(Tensor::from_vec([n, 4, 5, 1], IMAGE.repeat(n)).unwrap());
    let y = change(&mut tape, x).unwrap();
    tape.replay(step);
    tape.value(y).data().to_vec()
}

#[test]
fn warps_without_chance_are_kerass() {
    for (name, warp, want) in keras_values() {
        let got = changed(1, 3, |tape, x| tape.warp(x, warp, 7));
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            assert!((got - want).abs() < 1e-4, "{name}, pixel {i}: {got}, expected {want}");
        }
    }
}

#[test]
fn each_image_of_each_step_is_mirrored_on_its_own() {
    let flip = |tape: &mut Tape, x: Var| tape.warp(x, Warp { flip: [false, true], ..Warp::default() }, 7);
    let mirrored: Vec<f32> = IMAGE.chunks(5).flat_map(|row| row.iter().rev().copied()).collect();
    let which = |step: u64| -> Vec<bool> {
        let images = changed(200, step, flip);
        images
            .chunks(20)
            .map(|image| {
                assert!(image == IMAGE || image == mirrored, "{image:?}");
                image == mirrored
            })
            .collect()
    };
    let (first, second) = (which(0), which(1));
    assert_eq!(first, which(0));
    assert_ne!(first, second);
    let count = first.iter().filter(|&&mirrored| mirrored).count();
    assert!((70..130).contains(&count), "{count} of 200");
}

#[test]
fn contrast_moves_pixels_away_from_the_mean() {
    let mean = IMAGE.iter().sum::<f32>() / 20.0;
    let contrast = Contrast { factor: (1.5, 1.5), value_range: (0.0, 9.0) };
    let got = changed(1, 0, |tape, x| tape.contrast(x, contrast, 7));
    for (got, x) in got.iter().zip(IMAGE) {
        assert!((got - ((x - mean) * 1.5 + mean).clamp(0.0, 9.0)).abs() < 1e-5, "{x} became {got}");
    }
}

#[test]
fn a_rectangle_is_erased() {
    let erase = |factor, fill_value| Erase { factor, scale: (0.2, 0.6), fill_value, value_range: (-4.0, 4.0) };
    let always = changed(50, 0, |tape, x| tape.erase(x, erase((1.0, 1.0), Some(-1.0)), 7));
    for image in always.chunks(20) {
        let erased: Vec<usize> = (0..20).filter(|&i| image[i] == -1.0).collect();
        let (first, last) = (*erased.first().unwrap(), *erased.last().unwrap());
        // Rows and columns between the corners, and nothing else.
        let inside = |i: usize| (first / 5..=last / 5).contains(&(i / 5)) && (first % 5..=last % 5).contains(&(i % 5));
        assert!((0..20).all(|i| if inside(i) { image[i] == -1.0 } else { image[i] == IMAGE[i] }), "{image:?}");
        assert!((1..=20).contains(&erased.len()));
    }
    let never = changed(50, 0, |tape, x| tape.erase(x, erase((0.0, 0.0), None), 7));
    assert_eq!(never, IMAGE.repeat(50));
    let noise = changed(50, 0, |tape, x| tape.erase(x, erase((1.0, 1.0), None), 7));
    let filled: Vec<f32> = noise.iter().zip(IMAGE.repeat(50)).filter(|(a, b)| *a != b).map(|(a, _)| *a).collect();
    assert!(filled.iter().all(|x| (-4.0..=4.0).contains(x)) && filled.iter().any(|x| *x < 0.0));
}

const CHANGES: [(&str, Change); 4] = [
    ("warp", |tape, x| {
        let (shift, turn, zoom) = ([(-0.3, 0.3), (-0.2, 0.4)], (-0.2, 0.2), [(-0.3, 0.3), (-0.1, 0.5)]);
        tape.warp(x, Warp { flip: [true; 2], shift, turn, zoom, ..Warp::default() }, 7)
    }),
    ("warp with a constant", |tape, x| {
        tape.warp(x, Warp { shift: [(0.4, 0.4), (-0.5, 0.0)], fill: Fill::Constant(2.0), ..Warp::default() }, 7)
    }),
    ("contrast", |tape, x| tape.contrast(x, Contrast { factor: (0.5, 1.5), value_range: (-9.0, 9.0) }, 7)),
    ("erase", |tape, x| {
        let (scale, value_range) = ((0.1, 0.5), (0.0, 1.0));
        tape.erase(x, Erase { factor: (1.0, 1.0), scale, fill_value: Some(0.5), value_range }, 7)
    }),
];

#[test]
fn gradients_are_slopes() {
    for (name, change) in CHANGES {
        let checked = check_gradients(|tape, x| change(tape, x[0]), &[random(&[3, 4, 5, 2], 1)]);
        assert!(checked.is_ok(), "{name}: {}", checked.unwrap_err());
    }
}

#[test]
fn inference_changes_nothing_and_other_shapes_are_refused() {
    for (name, change) in CHANGES {
        let mut tape = Tape::new(Mode::Inference);
        let x = tape.input(random(&[2, 3, 4, 1], 1));
        assert_eq!(change(&mut tape, x).unwrap(), x, "{name}");
        let x = tape.input(random(&[2, 3, 4], 1));
        let error = change(&mut tape, x).unwrap_err().to_string();
        assert!(
            error.ends_with("images, [n, h, w, c], must have 4 axes; received the shape (2, 3, 4)"),
            "{name}: {error}"
        );
    }
}

/// What Keras 3.15 makes of the image.
fn keras_values() -> Vec<(&'static str, Warp, [f32; 20])> {
    vec![
        (
            "shifted, reflect",
            Warp { shift: [(0.3, 0.3), (-0.15, -0.15)], fill: Fill::Reflect, ..Warp::default() },
            [
                1.95, 3.6, 2.45, 3.9, 4.6, 1.5, 3.25, 1.75, 4.0, 5.0, 3.3, 4.65, 4.55, 3.6, 3.4, 6.55, 8.0, 7.05, 7.5,
                7.8,
            ],
        ),
        (
            "turned, reflect",
            Warp { turn: (0.1, 0.1), fill: Fill::Reflect, ..Warp::default() },
            [
                1.790932, 3.782017, 2.433072, 3.636738, 5.77227, 1.648283, 3.208508, 5.964518, 6.441997, 7.611784,
                6.876481, 4.294767, 8.33544, 6.791137, 6.703434, 6.848179, 5.520865, 3.837169, 2.927339, 6.681781,
            ],
        ),
        (
            "zoomed, reflect",
            Warp { zoom: [(0.4, 0.4), (-0.2, -0.2)], fill: Fill::Reflect, ..Warp::default() },
            [
                2.2, 1.6, 4.0, 1.599999, 3.4, 5.4, 2.56, 5.6, 4.48, 3.72, 5.48, 7.0, 7.8, 7.32, 7.68, 2.6, 2.2, 3.0,
                7.000001, 5.6,
            ],
        ),
        (
            "shifted, constant",
            Warp { shift: [(0.3, 0.3), (-0.15, -0.15)], fill: Fill::Constant(0.5), ..Warp::default() },
            [
                0.5, 0.5, 0.5, 0.5, 0.5, 1.3, 2.7, 1.5, 3.3, 1.4, 3.3, 4.65, 4.55, 3.6, 1.225, 6.55, 8.0, 7.05, 7.5,
                2.325,
            ],
        ),
        (
            "turned, constant",
            Warp { turn: (0.1, 0.1), fill: Fill::Constant(0.5), ..Warp::default() },
            [
                0.6431694, 2.79311, 2.433072, 3.636738, 3.137653, 1.556329, 3.208508, 5.964518, 6.441997, 7.611784,
                6.876481, 4.294767, 8.33544, 6.791137, 6.20667, 3.675919, 5.520865, 3.837169, 2.195956, 1.185584,
            ],
        ),
        (
            "zoomed, constant",
            Warp { zoom: [(0.4, 0.4), (-0.2, -0.2)], fill: Fill::Constant(0.5), ..Warp::default() },
            [
                1.18, 0.9400001, 1.9, 0.9399998, 1.66, 5.4, 2.56, 5.6, 4.48, 3.72, 5.48, 7.0, 7.8, 7.32, 7.68, 1.34,
                1.18, 1.5, 3.100001, 2.540001,
            ],
        ),
        (
            "shifted, wrap",
            Warp { shift: [(0.3, 0.3), (-0.15, -0.15)], fill: Fill::Wrap, ..Warp::default() },
            [
                3.25, 3.950001, 6.9, 5.7, 3.8, 1.65, 3.15, 2.75, 4.2, 3.45, 3.3, 4.65, 4.55, 3.6, 6.7, 6.55, 8.0, 7.05,
                7.5, 6.3,
            ],
        ),
        (
            "turned, wrap",
            Warp { turn: (0.1, 0.1), fill: Fill::Wrap, ..Warp::default() },
            [
                2.211218, 3.655854, 2.433072, 3.636738, 6.461648, 1.702405, 3.208508, 5.964518, 6.441997, 7.611784,
                6.876481, 4.294767, 8.33544, 6.791137, 6.350537, 6.538134, 5.520865, 3.837169, 3.184863, 2.333346,
            ],
        ),
        (
            "zoomed, wrap",
            Warp { zoom: [(0.4, 0.4), (-0.2, -0.2)], fill: Fill::Wrap, ..Warp::default() },
            [
                2.44, 1.96, 3.4, 4.84, 4.72, 5.4, 2.56, 5.6, 4.48, 3.72, 5.48, 7.0, 7.8, 7.32, 7.68, 2.36, 1.84, 3.6,
                3.76, 4.28,
            ],
        ),
        (
            "shifted, nearest",
            Warp { shift: [(0.3, 0.3), (-0.15, -0.15)], fill: Fill::Nearest, ..Warp::default() },
            [
                1.5, 3.25, 1.75, 4.0, 5.0, 1.5, 3.25, 1.75, 4.0, 5.0, 3.3, 4.65, 4.55, 3.6, 3.4, 6.55, 8.0, 7.05, 7.5,
                7.8,
            ],
        ),
        (
            "turned, nearest",
            Warp { turn: (0.1, 0.1), fill: Fill::Nearest, ..Warp::default() },
            [
                1.790932, 3.782017, 2.433072, 3.636738, 5.77227, 1.648283, 3.208508, 5.964518, 6.441997, 7.611784,
                6.876481, 4.294767, 8.33544, 6.791137, 6.703434, 6.848179, 5.520865, 3.837169, 2.927339, 6.681781,
            ],
        ),
        (
            "zoomed, nearest",
            Warp { zoom: [(0.4, 0.4), (-0.2, -0.2)], fill: Fill::Nearest, ..Warp::default() },
            [
                2.2, 1.6, 4.0, 1.599999, 3.4, 5.4, 2.56, 5.6, 4.48, 3.72, 5.48, 7.0, 7.8, 7.32, 7.68, 2.6, 2.2, 3.0,
                7.000001, 5.6,
            ],
        ),
        (
            "shifted to the nearest",
            Warp { shift: [(0.3, 0.3), (-0.15, -0.15)], interpolation: Interpolation::Nearest, ..Warp::default() },
            [1.0, 4.0, 1.0, 5.0, 5.0, 1.0, 4.0, 1.0, 5.0, 5.0, 2.0, 6.0, 5.0, 3.0, 3.0, 8.0, 9.0, 7.0, 9.0, 9.0],
        ),
        (
            "turned to the nearest",
            Warp { turn: (-0.2, -0.2), interpolation: Interpolation::Nearest, ..Warp::default() },
            [3.0, 5.0, 2.0, 1.0, 1.0, 2.0, 8.0, 6.0, 4.0, 4.0, 3.0, 3.0, 9.0, 5.0, 1.0, 8.0, 8.0, 7.0, 3.0, 5.0],
        ),
        (
            "zoomed alike",
            Warp { zoom: [(0.4, 0.4); 2], keeps_aspect: true, ..Warp::default() },
            [
                3.0, 1.8, 4.0, 2.599999, 5.0, 7.8, 4.2, 5.6, 3.88, 3.4, 4.6, 5.92, 7.8, 7.52, 8.0, 3.0, 2.4, 3.0,
                6.400001, 4.0,
            ],
        ),
    ]
}
