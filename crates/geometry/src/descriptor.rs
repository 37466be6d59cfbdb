//! A layer as one line of text, after oneDNN's benchdnn: `n2h7w9c4 oc6 k3x2 s2x1 d1x2 p0,1,2,0 g2`. The same line drives
//! tests and benchmarks.
//!
//! Padding is `p` and four cells (top, bottom, left, right), or `pvalid`, `psame`, `pcausal`. Written in full; when read,
//! `s`, `d`, `p` and `g` may be left out (stride 1, or the window of a pooling; dilation 1; no padding; one group), and
//! one number stands for two alike: `n1h4w4c1 oc3 k3`.

use std::fmt;
use std::str::FromStr;

use crate::{ConvGeometry, ConvOptions, GeometryError, Nhwc, Padding, PoolOptions, Size};

/// A convolution before it is checked: an input shape and options.
///
/// ```
/// use stampnet_geometry::ConvDescriptor;
///
/// let layer: ConvDescriptor = "n1h28w28c3 oc8 k5 psame".parse()?;
/// assert_eq!(layer.geometry()?.output().dims(), [1, 28, 28, 8]);
/// assert_eq!(layer.to_string(), "n1h28w28c3 oc8 k5x5 s1x1 d1x1 psame g1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvDescriptor {
    /// Input shape.
    pub input: Nhwc,
    /// Filters, kernel, stride, dilation, padding, groups.
    pub options: ConvOptions,
}

impl ConvDescriptor {
    /// The resolved geometry.
    ///
    /// # Errors
    /// The options do not fit the input.
    pub fn geometry(&self) -> Result<ConvGeometry, GeometryError> {
        ConvGeometry::new(self.input, &self.options)
    }
}

/// A pooling before it is checked: an input shape and options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolDescriptor {
    /// Input shape.
    pub input: Nhwc,
    /// Window, stride, padding.
    pub options: PoolOptions,
}

impl fmt::Display for ConvDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConvOptions { filters, kernel, stride, dilation, padding, groups } = self.options;
        write_shape(f, self.input)?;
        write!(f, " oc{filters} k{}x{} s{}x{}", kernel.h, kernel.w, stride.h, stride.w)?;
        write!(f, " d{}x{} ", dilation.h, dilation.w)?;
        write_padding(f, padding)?;
        write!(f, " g{groups}")
    }
}

impl fmt::Display for PoolDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PoolOptions { pool, stride, padding } = self.options;
        write_shape(f, self.input)?;
        write!(f, " k{}x{} s{}x{} ", pool.h, pool.w, stride.h, stride.w)?;
        write_padding(f, padding)
    }
}

fn write_shape(f: &mut fmt::Formatter<'_>, shape: Nhwc) -> fmt::Result {
    write!(f, "n{}h{}w{}c{}", shape.n, shape.h, shape.w, shape.c)
}

fn write_padding(f: &mut fmt::Formatter<'_>, padding: Padding) -> fmt::Result {
    match padding {
        Padding::Explicit { top, bottom, left, right } => write!(f, "p{top},{bottom},{left},{right}"),
        named => write!(f, "p{named}"),
    }
}

/// A line that describes no layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a layer reads like '{example}'; received '{text}', in which '{part}' is wrong or missing")]
pub struct ParseDescriptorError {
    text: String,
    part: String,
    example: &'static str,
}

impl FromStr for ConvDescriptor {
    type Err = ParseDescriptorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = Parts { text, example: "n2h7w9c4 oc6 k3x2 s2x1 d1x2 p0,1,2,0 g2" };
        parts.check_keys(&["n", "oc", "k", "s", "d", "p", "g"])?;
        let options = ConvOptions {
            filters: parts.read("oc", number)?.ok_or_else(|| parts.wrong("oc"))?,
            kernel: parts.read("k", size)?.ok_or_else(|| parts.wrong("k"))?,
            stride: parts.read("s", size)?.unwrap_or(Size::from(1)),
            dilation: parts.read("d", size)?.unwrap_or(Size::from(1)),
            padding: parts.read("p", padding)?.unwrap_or(Padding::Valid),
            groups: parts.read("g", number)?.unwrap_or(1),
        };
        Ok(Self { input: parts.shape()?, options })
    }
}

impl FromStr for PoolDescriptor {
    type Err = ParseDescriptorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = Parts { text, example: "n2h7w9c4 k3x2 s2x1 p0,1,2,0" };
        parts.check_keys(&["n", "k", "s", "p"])?;
        let pool = parts.read("k", size)?.ok_or_else(|| parts.wrong("k"))?;
        let options = PoolOptions {
            pool,
            stride: parts.read("s", size)?.unwrap_or(pool),
            padding: parts.read("p", padding)?.unwrap_or(Padding::Valid),
        };
        Ok(Self { input: parts.shape()?, options })
    }
}

/// The words of a line. The key of a word is what stands before its first digit; padding's is `p` whatever follows.
struct Parts<'a> {
    text: &'a str,
    example: &'static str,
}

impl<'a> Parts<'a> {
    fn wrong(&self, part: &str) -> ParseDescriptorError {
        ParseDescriptorError { text: self.text.to_owned(), part: part.to_owned(), example: self.example }
    }

    fn words(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.text.split_whitespace().map(|word| match word.strip_prefix('p') {
            Some(_) => word.split_at(1),
            None => word.split_at(word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len())),
        })
    }

    fn check_keys(&self, known: &[&str]) -> Result<(), ParseDescriptorError> {
        let mut seen = Vec::new();
        for (key, value) in self.words() {
            if !known.contains(&key) || seen.contains(&key) {
                return Err(self.wrong(&format!("{key}{value}")));
            }
            seen.push(key);
        }
        Ok(())
    }

    fn read<T>(&self, key: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>, ParseDescriptorError> {
        match self.words().find(|&(name, _)| name == key) {
            Some((_, value)) => parse(value).map(Some).ok_or_else(|| self.wrong(&format!("{key}{value}"))),
            None => Ok(None),
        }
    }

    fn shape(&self) -> Result<Nhwc, ParseDescriptorError> {
        let shape = |value: &str| {
            let (n, rest) = value.split_once('h')?;
            let (h, rest) = rest.split_once('w')?;
            let (w, c) = rest.split_once('c')?;
            Some(Nhwc { n: number(n)?, h: number(h)?, w: number(w)?, c: number(c)? })
        };
        self.read("n", shape)?.ok_or_else(|| self.wrong("n"))
    }
}

fn number(text: &str) -> Option<usize> {
    text.parse().ok()
}

fn size(text: &str) -> Option<Size> {
    match text.split_once('x') {
        Some((h, w)) => Some(Size { h: number(h)?, w: number(w)? }),
        None => number(text).map(Size::from),
    }
}

fn padding(text: &str) -> Option<Padding> {
    if let Ok(named) = text.parse() {
        return Some(named);
    }
    let cells: Vec<usize> = text.split(',').map(number).collect::<Option<_>>()?;
    let [top, bottom, left, right] = *cells.as_slice() else { return None };
    Some(Padding::Explicit { top, bottom, left, right })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lines_have_defaults() {
        let conv: ConvDescriptor = "n1h4w4c1 oc3 k3".parse().unwrap();
        assert_eq!(conv.to_string(), "n1h4w4c1 oc3 k3x3 s1x1 d1x1 pvalid g1");
        let pool: PoolDescriptor = "n1h4w4c1 k2x3 psame".parse().unwrap();
        assert_eq!(pool.to_string(), "n1h4w4c1 k2x3 s2x3 psame");
    }

    #[test]
    fn wrong_lines_are_refused_with_their_wrong_part() {
        let cases = [
            ("", "oc"),
            ("n1h4w4c1 k3", "oc"),
            ("n1h4w4c1 oc3", "k"),
            ("oc3 k3", "n"),
            ("n1h4w4 oc3 k3", "n1h4w4"),
            ("n1h4w4c1 oc3 k3 q1", "q1"),
            ("n1h4w4c1 oc3 k3 k3", "k3"),
            ("n1h4w4c1 oc3 k3x", "k3x"),
            ("n1h4w4c1 oc3 k3 p1,2,3", "p1,2,3"),
            ("n1h4w4c1 oc3 k3 pfull", "pfull"),
            ("n1h4w4c1 oc3 k3 g99999999999999999999", "g99999999999999999999"),
        ];
        for (text, part) in cases {
            let error = text.parse::<ConvDescriptor>().unwrap_err();
            assert_eq!(error.part, part, "'{text}'");
        }
        let error = "n1h4w4c1 k3 g1".parse::<PoolDescriptor>().unwrap_err().to_string();
        assert_eq!(
            error,
            "a layer reads like 'n2h7w9c4 k3x2 s2x1 p0,1,2,0'; received 'n1h4w4c1 k3 g1', in which 'g1' is wrong or missing"
        );
    }
}
