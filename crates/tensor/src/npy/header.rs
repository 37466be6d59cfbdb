//! The header of a `.npy` file: magic, version, length, and a Python dictionary in text.

use super::NpyError;
use crate::Shape;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Bytes that the header is padded to, so that mapped elements are aligned.
const PADDING: usize = 64;

/// The longest string and the most axes that are looked at; NumPy has neither in a plain array.
const MAX_TEXT: usize = 64;

/// What a header says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    /// NumPy's name of the element type.
    pub(super) descr: String,
    /// Whether the first axis varies fastest.
    pub(super) fortran_order: bool,
    pub(super) shape: Shape,
    /// Bytes before the first element.
    pub(super) len: usize,
}

impl Header {
    /// Reads the header at the beginning of `bytes`. No length in it is trusted.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NpyError> {
        let truncated = |expected| NpyError::Header { expected, received: bytes.len() };
        let (magic, rest) = bytes.split_first_chunk::<6>().ok_or(truncated(10))?;
        if magic != MAGIC {
            return Err(NpyError::Magic { received: *magic });
        }
        let (&[major, minor], rest) = rest.split_first_chunk().ok_or(truncated(10))?;
        let (text_start, text_len) = match (major, minor) {
            (1, 0) => {
                let &len = rest.first_chunk().ok_or(truncated(10))?;
                (10, usize::from(u16::from_le_bytes(len)))
            }
            (2, 0) => {
                let &len = rest.first_chunk().ok_or(truncated(12))?;
                (12, usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX))
            }
            _ => return Err(NpyError::Version { major, minor }),
        };
        let len = text_len.saturating_add(text_start);
        let Some(text) = bytes.get(text_start..len) else { return Err(truncated(len)) };
        Dictionary { text, at: 0, text_start }.parse(len)
    }

    /// The header, version 1.0, of a row-major array.
    pub(super) fn write(descr: &str, shape: Shape) -> Vec<u8> {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let len = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(PADDING);
        let text_len = u16::try_from(len - MAGIC.len() - 4).expect("six dimensions take at most 120 digits");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend(text_len.to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.resize(len - 1, b' ');
        bytes.push(b'\n');
        bytes
    }
}

/// A reader of Python's notation for the one kind of dictionary that occurs.
struct Dictionary<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the text begins in the file.
    text_start: usize,
}

impl Dictionary<'_> {
    fn parse(mut self, len: usize) -> Result<Header, NpyError> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect(b'{', "'{'")?;
        while !self.accept(b'}') {
            let key_at = self.at;
            let key = self.string()?;
            self.expect(b':', "':'")?;
            match key.as_str() {
                "descr" => descr = Some(self.descr()?),
                "fortran_order" => fortran_order = Some(self.boolean()?),
                "shape" => shape = Some(self.shape()?),
                _ => return Err(self.error_at(key_at, "'descr', 'fortran_order' or 'shape'")),
            }
            if !self.accept(b',') {
                self.expect(b'}', "',' or '}'")?;
                break;
            }
        }
        self.skip_space();
        if self.at < self.text.len() {
            return Err(self.error("space up to the end of the header"));
        }
        Ok(Header {
            descr: descr.ok_or(NpyError::Key { key: "descr" })?,
            fortran_order: fortran_order.ok_or(NpyError::Key { key: "fortran_order" })?,
            shape: shape.ok_or(NpyError::Key { key: "shape" })?,
            len,
        })
    }

    /// The element type. A list describes a structure, which is no number.
    fn descr(&mut self) -> Result<String, NpyError> {
        self.skip_space();
        if self.text.get(self.at) == Some(&b'[') {
            return Err(self.error("the name of one number type; structured arrays are not supported"));
        }
        self.string()
    }

    fn string(&mut self) -> Result<String, NpyError> {
        self.skip_space();
        let Some(&quote @ (b'\'' | b'"')) = self.text.get(self.at) else { return Err(self.error("a quoted name")) };
        let start = self.at + 1;
        let text = self.text[start..].iter().take(MAX_TEXT).take_while(|&&byte| byte != quote);
        let text: String = text.map(|&byte| char::from(byte)).collect();
        self.at = start + text.chars().count();
        if self.text.get(self.at) != Some(&quote) {
            return Err(self.error("a quote that ends the name"));
        }
        self.at += 1;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        self.skip_space();
        for (word, value) in [("True", true), ("False", false)] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.error("True or False"))
    }

    fn shape(&mut self) -> Result<Shape, NpyError> {
        let mut dims = Vec::new();
        self.expect(b'(', "'('")?;
        while !self.accept(b')') {
            if dims.len() == MAX_TEXT {
                return Err(self.error("')'"));
            }
            dims.push(self.number()?);
            if !self.accept(b',') {
                self.expect(b')', "',' or ')'")?;
                break;
            }
        }
        Shape::new(&dims).map_err(|error| NpyError::Shape(Box::new(error)))
    }

    fn number(&mut self) -> Result<usize, NpyError> {
        self.skip_space();
        let start = self.at;
        let digits = self.text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        let text = &self.text[start..self.at];
        let value =
            text.iter().try_fold(0_usize, |value, digit| value.checked_mul(10)?.checked_add(usize::from(digit - b'0')));
        match value {
            Some(value) if digits > 0 => Ok(value),
            _ => Err(self.error_at(start, "a whole number that fits in memory's size")),
        }
    }

    fn skip_space(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    fn accept(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, name: &'static str) -> Result<(), NpyError> {
        if self.accept(byte) { Ok(()) } else { Err(self.error(name)) }
    }

    fn error(&self, expected: &'static str) -> NpyError {
        self.error_at(self.at, expected)
    }

    fn error_at(&self, at: usize, expected: &'static str) -> NpyError {
        NpyError::Syntax { expected, at: self.text_start + at }
    }
}
