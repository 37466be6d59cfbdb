//! The rule by which a picture becomes a network's input.
//!
//! 1. Gray networks see `0.299 red + 0.587 green + 0.114 blue` (ITU-R BT.601, as Pillow and Keras do); colour networks see
//!    gray pictures as three equal channels.
//! 2. Inversion: the networks here are trained on light things before a black ground, as Fashion-MNIST and MNIST have them.
//!    A picture whose outermost pixels are light on average (above one half) is inverted, unless told otherwise.
//! 3. Size: the aspect ratio is kept; the picture is made as large as fits. Shrinking averages the area that falls into each
//!    new pixel; growing interpolates linearly between pixel centres.
//! 4. What remains on two sides is filled with the average of the picture's outermost pixels; the odd row or column comes at
//!    the end.

use stampnet_geometry::Nhwc;

use super::{Picture, PictureError};

/// Whether pictures are inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Inversion {
    /// When the border is light on average.
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

/// A picture in a network's form.
#[derive(Debug)]
pub(crate) struct Fitted {
    /// In the network's size and channels.
    pub(crate) picture: Picture,
    /// Whether it was inverted.
    pub(crate) inverted: bool,
}

/// Brings `picture` into the form `want`, whose batch size is ignored.
///
/// # Errors
/// `want` has neither 1 nor 3 channels.
pub(crate) fn fit(picture: &Picture, want: Nhwc, inversion: Inversion) -> Result<Fitted, PictureError> {
    let mut picture = with_channels(picture, want.c)?;
    let background = border_average(&picture);
    let lightness = background.iter().sum::<f32>() / background.len() as f32;
    let inverted = match inversion {
        Inversion::Auto => lightness > 0.5,
        Inversion::Yes => true,
        Inversion::No => false,
    };
    if inverted {
        picture.pixels.iter_mut().for_each(|value| *value = 1.0 - *value);
    }
    let background: Vec<f32> = background.iter().map(|&value| if inverted { 1.0 - value } else { value }).collect();
    let scale = f64::min(want.h as f64 / picture.h as f64, want.w as f64 / picture.w as f64);
    let scaled = |size: usize, limit: usize| ((size as f64 * scale).round() as usize).clamp(1, limit);
    let (h, w) = (scaled(picture.h, want.h), scaled(picture.w, want.w));
    Ok(Fitted { picture: centre(&resize(&picture, h, w), want, &background), inverted })
}

fn with_channels(picture: &Picture, channels: usize) -> Result<Picture, PictureError> {
    let pixels = match (picture.c, channels) {
        (have, want) if have == want => picture.pixels.clone(),
        (3, 1) => picture.pixels.chunks_exact(3).map(|p| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]).collect(),
        (1, 3) => picture.pixels.iter().flat_map(|&value| [value; 3]).collect(),
        _ => return Err(PictureError::Channels { channels }),
    };
    Ok(Picture { c: channels, pixels, ..*picture })
}

/// The average of the outermost rows and columns, per channel.
fn border_average(picture: &Picture) -> Vec<f32> {
    let Picture { h, w, c, ref pixels } = *picture;
    let mut sums = vec![0.0_f64; c];
    let mut count = 0.0;
    for y in 0..h {
        let step = if y == 0 || y == h - 1 { 1 } else { (w - 1).max(1) };
        for x in (0..w).step_by(step) {
            let pixel = &pixels[(y * w + x) * c..][..c];
            sums.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += f64::from(value));
            count += 1.0;
        }
    }
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

/// Resizes along the width, then along the height.
fn resize(picture: &Picture, h: usize, w: usize) -> Picture {
    let c = picture.c;
    let columns = resize_axis(&picture.pixels, Layout { outer: picture.h, from: picture.w, to: w, inner: c });
    let pixels = resize_axis(&columns, Layout { outer: 1, from: picture.h, to: h, inner: w * c });
    Picture { h, w, c, pixels }
}

/// An array `[outer, from, inner]` that becomes `[outer, to, inner]`.
#[derive(Clone, Copy)]
struct Layout {
    outer: usize,
    from: usize,
    to: usize,
    inner: usize,
}

fn resize_axis(values: &[f32], layout: Layout) -> Vec<f32> {
    let Layout { outer, from, to, inner } = layout;
    let taps: Vec<Taps> = (0..to).map(|cell| taps(cell, from, to)).collect();
    let mut out = vec![0.0; outer * to * inner];
    for (block, out) in out.chunks_exact_mut(to * inner).enumerate() {
        for (row, taps) in out.chunks_exact_mut(inner).zip(&taps) {
            for (at, &weight) in taps.weights.iter().enumerate() {
                let source = &values[(block * from + taps.first + at) * inner..][..inner];
                row.iter_mut().zip(source).for_each(|(sum, &value)| *sum += weight * value);
            }
        }
    }
    out
}

/// Old cells that a new cell is the weighted average of.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// The taps of new cell `cell` when `from` cells become `to`.
fn taps(cell: usize, from: usize, to: usize) -> Taps {
    if to >= from {
        // Linear between centres: new centre `cell + 1/2` lies at `centre + 1/2` in old cells.
        let centre = ((cell as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        let (first, fraction) = (centre as usize, centre.fract() as f32);
        return if fraction > 0.0 {
            Taps { first, weights: vec![1.0 - fraction, fraction] }
        } else {
            Taps { first, weights: vec![1.0] }
        };
    }
    // The new cell covers [cell * from, (cell + 1) * from) in units of 1/to of an old cell: whole numbers, no rounding.
    let (start, end) = (cell * from, (cell + 1) * from);
    let (first, last) = (start / to, (end - 1) / to);
    let covered = |old: usize| (end.min((old + 1) * to) - start.max(old * to)) as f32;
    Taps { first, weights: (first..=last).map(|old| covered(old) / from as f32).collect() }
}

/// Puts `picture` into the middle of a ground of colour `background`.
fn centre(picture: &Picture, want: Nhwc, background: &[f32]) -> Picture {
    let (top, left, c) = ((want.h - picture.h) / 2, (want.w - picture.w) / 2, want.c);
    let mut pixels = background.repeat(want.h * want.w);
    for (y, row) in picture.pixels.chunks_exact(picture.w * c).enumerate() {
        pixels[((top + y) * want.w + left) * c..][..row.len()].copy_from_slice(row);
    }
    Picture { h: want.h, w: want.w, c, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(h: usize, w: usize, pixels: &[f32]) -> Picture {
        Picture { h, w, c: 1, pixels: pixels.to_vec() }
    }

    fn input(h: usize, w: usize, c: usize) -> Nhwc {
        Nhwc { n: 1, h, w, c }
    }

    fn fitted(picture: &Picture, want: Nhwc, inversion: Inversion) -> Vec<f32> {
        fit(picture, want, inversion).unwrap().picture.pixels
    }

    #[test]
    fn a_picture_of_the_right_form_is_left_alone() {
        let pixels: Vec<f32> = (0..12).map(|i| i as f32 / 32.0).collect();
        assert_eq!(fitted(&gray(3, 4, &pixels), input(3, 4, 1), Inversion::Auto), pixels);
    }

    #[test]
    fn shrinking_averages_areas() {
        let picture = gray(2, 4, &[0.0, 0.2, 0.4, 0.6, 0.0, 0.2, 0.4, 0.6]);
        let got = fitted(&picture, input(1, 2, 1), Inversion::No);
        assert!((got[0] - 0.1).abs() < 1e-6 && (got[1] - 0.5).abs() < 1e-6, "{got:?}");
        // Three cells into two: each new one covers one and a half old ones.
        assert_eq!(taps(0, 3, 2).weights, [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!((taps(1, 3, 2).first, taps(1, 3, 2).weights), (1, vec![1.0 / 3.0, 2.0 / 3.0]));
    }

    #[test]
    fn growing_interpolates_between_centres() {
        let got = fitted(&gray(1, 2, &[0.0, 0.4]), input(2, 4, 1), Inversion::No);
        let near = got.iter().zip([0.0, 0.1, 0.3, 0.4].repeat(2)).all(|(got, want)| (got - want).abs() < 1e-6);
        assert!(near, "{got:?}");
    }

    #[test]
    fn the_weights_of_every_new_cell_sum_to_one() {
        for from in 1..40 {
            for to in 1..40 {
                for cell in 0..to {
                    let taps = taps(cell, from, to);
                    let sum: f32 = taps.weights.iter().sum();
                    assert!((sum - 1.0).abs() < 1e-5, "{from} -> {to}, cell {cell}: {sum}");
                    assert!(taps.first + taps.weights.len() <= from, "{from} -> {to}, cell {cell}");
                }
            }
        }
    }

    #[test]
    fn the_border_decides_about_inversion() {
        let mut light = gray(3, 3, &[1.0; 9]);
        light.pixels[4] = 0.0;
        let fitted = fit(&light, input(3, 3, 1), Inversion::Auto).unwrap();
        assert!(fitted.inverted);
        assert_eq!(fitted.picture.pixels, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(!fit(&fitted.picture, input(3, 3, 1), Inversion::Auto).unwrap().inverted);
        assert!(!fit(&light, input(3, 3, 1), Inversion::No).unwrap().inverted);
        assert!(fit(&fitted.picture, input(3, 3, 1), Inversion::Yes).unwrap().inverted);
    }

    #[test]
    fn the_aspect_ratio_is_kept_and_the_rest_is_background() {
        // A tall picture, light border: inverted to a ground of 0, centred with the odd column at the end.
        let tall = gray(4, 1, &[1.0, 0.5, 0.25, 1.0]);
        let got = fit(&tall, input(4, 4, 1), Inversion::Yes).unwrap().picture;
        let ground = 1.0 - (1.0 + 0.5 + 0.25 + 1.0) / 4.0;
        let row = |value: f32| [ground, value, ground, ground];
        assert_eq!(got.pixels, [row(0.0), row(0.5), row(0.75), row(0.0)].concat());
    }

    #[test]
    fn colour_becomes_gray_and_gray_colour() {
        let red = Picture { h: 1, w: 1, c: 3, pixels: vec![1.0, 0.0, 0.0] };
        assert_eq!(fitted(&red, input(1, 1, 1), Inversion::No), [0.299]);
        assert_eq!(fitted(&gray(1, 1, &[0.5]), input(1, 1, 3), Inversion::No), [0.5; 3]);
        let error = fit(&red, input(1, 1, 4), Inversion::No).unwrap_err().to_string();
        assert_eq!(error, "pictures can be given to networks with 1 (gray) or 3 (RGB) input channels; this one has 4");
    }
}
