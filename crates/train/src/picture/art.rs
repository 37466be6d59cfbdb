//! Pictures as text.

use super::Picture;

/// From dark to light.
const SHADES: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// Draws `picture` with two characters per pixel, which makes pixels about square, and one line per row.
pub(crate) fn draw(picture: &Picture) -> String {
    let mut text = String::with_capacity(picture.h * (2 * picture.w + 1));
    for row in picture.pixels.chunks_exact(picture.w * picture.c) {
        for pixel in row.chunks_exact(picture.c) {
            let value = pixel.iter().sum::<f32>() / picture.c as f32;
            let shade = SHADES[((value * SHADES.len() as f32) as usize).min(SHADES.len() - 1)];
            text.extend([shade, shade]);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_is_dense() {
        let picture = Picture { h: 2, w: 3, c: 1, pixels: vec![0.0, 0.55, 1.0, 0.0, 0.0, 0.0] };
        assert_eq!(draw(&picture), "  ++@@\n\n");
    }
}
