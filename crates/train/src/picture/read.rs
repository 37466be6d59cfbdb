//! PNG files of every kind become gray or RGB pictures.
//!
//! Palettes are looked up, 1, 2, 4, 8 and 16 bits are scaled to 0..1, and transparent pixels are laid on white, the paper
//! on which pictures with a transparent ground are usually meant to lie.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};

use super::{Picture, PictureError};

/// More pixels than any camera gives, few enough for memory.
const MAX_PIXELS: u64 = 1 << 28;

/// Reads the PNG file at `path`.
///
/// # Errors
/// The file cannot be opened, is no PNG, is damaged, or is larger than 2^28 pixels.
pub(crate) fn read_png(path: &Path) -> Result<Picture, PictureError> {
    let unreadable = |source| PictureError::Read { path: path.into(), source };
    let damaged = |error| match error {
        DecodingError::IoError(source) => unreadable(source),
        source => PictureError::Decode { path: path.into(), source },
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), png::Limits { bytes: usize::MAX });
    decoder.set_transformations(Transformations::EXPAND);
    let (w, h) = decoder.read_header_info().map_err(damaged)?.size();
    if u64::from(w) * u64::from(h) > MAX_PIXELS {
        return Err(PictureError::TooLarge { path: path.into(), h, w, max: MAX_PIXELS });
    }
    let mut reader = decoder.read_info().map_err(damaged)?;
    let mut bytes = vec![0; reader.output_buffer_size().expect("2^28 pixels of 8 bytes fit into memory's addresses")];
    let frame = reader.next_frame(&mut bytes).map_err(damaged)?;
    bytes.truncate(frame.buffer_size());
    let (color, has_alpha) = match frame.color_type {
        ColorType::Grayscale => (1, false),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgba => (3, true),
        ColorType::Rgb | ColorType::Indexed => (3, false),
    };
    let samples: Vec<f32> = match frame.bit_depth {
        BitDepth::Sixteen => {
            bytes.chunks_exact(2).map(|pair| f32::from(u16::from_be_bytes([pair[0], pair[1]])) / 65_535.0).collect()
        }
        _ => bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
    };
    let pixels = if has_alpha { on_white(&samples, color) } else { samples };
    Ok(Picture { h: frame.height as usize, w: frame.width as usize, c: color, pixels })
}

/// Lays pixels of `color` channels and one of opacity on white.
fn on_white(samples: &[f32], color: usize) -> Vec<f32> {
    let pixels = samples.chunks_exact(color + 1);
    pixels
        .flat_map(|pixel| {
            let alpha = pixel[color];
            pixel[..color].iter().map(move |&value| value * alpha + (1.0 - alpha))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG of one row and two pixels, and what must be read.
    struct Case {
        name: &'static str,
        kind: (ColorType, BitDepth),
        data: &'static [u8],
        want: &'static [f32],
    }

    /// Red, green.
    const PALETTE: &[u8] = &[255, 0, 0, 0, 255, 0];

    fn write_and_read(case: &Case) -> Picture {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let mut encoder = png::Encoder::new(File::create(&path).unwrap(), 2, 1);
        encoder.set_color(case.kind.0);
        encoder.set_depth(case.kind.1);
        if case.kind.0 == ColorType::Indexed {
            encoder.set_palette(PALETTE);
        }
        encoder.write_header().unwrap().write_image_data(case.data).unwrap();
        read_png(&path).unwrap()
    }

    #[test]
    fn every_kind_of_png_becomes_gray_or_rgb() {
        use BitDepth::{Eight, Four, One, Sixteen, Two};
        use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
        let case = |name, color, depth, data, want| Case { name, kind: (color, depth), data, want };
        for case in [
            case("gray 1", Grayscale, One, &[0b1000_0000], &[1.0, 0.0]),
            case("gray 2", Grayscale, Two, &[0b1001_0000], &[2.0 / 3.0, 1.0 / 3.0]),
            case("gray 4", Grayscale, Four, &[0xF3], &[1.0, 0.2]),
            case("gray 8", Grayscale, Eight, &[51, 255], &[0.2, 1.0]),
            case("gray 16", Grayscale, Sixteen, &[0x33, 0x33, 0, 1], &[0.2, 1.0 / 65_535.0]),
            case("gray alpha", GrayscaleAlpha, Eight, &[0, 255, 0, 51], &[0.0, 0.8]),
            case("rgb 8", Rgb, Eight, &[255, 0, 51, 0, 0, 0], &[1.0, 0.0, 0.2, 0.0, 0.0, 0.0]),
            case("rgb 16", Rgb, Sixteen, &[0x33; 12], &[0.2; 6]),
            case("rgba 8", Rgba, Eight, &[255, 0, 0, 255, 0, 0, 0, 0], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
            case("palette 1", Indexed, One, &[0b0100_0000], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            case("palette 8", Indexed, Eight, &[1, 0], &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]),
        ] {
            let (got, name) = (write_and_read(&case), case.name);
            assert_eq!((got.h, got.w, got.c), (1, 2, case.want.len() / 2), "{name}");
            let near = got.pixels.iter().zip(case.want).all(|(got, want)| (got - want).abs() < 1e-6);
            assert!(near, "{name}: {:?} is not {:?}", got.pixels, case.want);
        }
    }

    #[test]
    fn what_is_no_png_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boot.png");
        std::fs::write(&path, b"GIF89a and so on").unwrap();
        let message = read_png(&path).unwrap_err().to_string();
        assert!(message.starts_with("images must be PNG files; ") && message.contains("boot.png"), "{message}");
        std::fs::write(&path, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0").unwrap();
        let message = read_png(&path).unwrap_err().to_string();
        assert!(message.starts_with("cannot read the image ") && message.contains("boot.png"), "{message}");
        let message = read_png(&folder.path().join("none.png")).unwrap_err().to_string();
        assert!(message.starts_with("cannot read the image ") && message.contains("none.png"), "{message}");
    }
}
