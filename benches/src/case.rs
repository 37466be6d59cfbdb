//! Lines of the case files: a name, then numbers.

use stampnet_geometry::GeometryError;

/// A line that is not a case.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum CaseError {
    /// Not a name and the right count of numbers.
    #[error("a case must be a name and {count} whole numbers; received '{line}'")]
    Syntax {
        /// How many numbers there must be.
        count: usize,
        /// The line.
        line: String,
    },
    /// The numbers do not fit together.
    #[error("case '{name}': {source}")]
    Geometry {
        /// The case.
        name: String,
        /// What is wrong.
        source: GeometryError,
    },
}

/// The lines of `file` that are neither empty nor comments.
pub(crate) fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The name and the `N` numbers of `line`.
pub(crate) fn fields<const N: usize>(line: &'static str) -> Result<(&'static str, [usize; N]), CaseError> {
    let parse = || {
        let (name, numbers) = line.split_once(char::is_whitespace)?;
        let numbers: Vec<usize> =
            numbers.split_whitespace().map(|number| number.parse().ok()).collect::<Option<_>>()?;
        Some((name, numbers.try_into().ok()?))
    };
    parse().ok_or_else(|| CaseError::Syntax { count: N, line: line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_cases() {
        assert_eq!(lines("# head\n\n a 1\n  # more\nb 2").collect::<Vec<_>>(), ["a 1", "b 2"]);
    }

    #[test]
    fn a_case_is_a_name_and_numbers() {
        assert_eq!(fields("vgg/conv1  3 \t 4"), Ok(("vgg/conv1", [3, 4])));
        for line in ["name", "name 1", "name 1 2 3", "name 1 x", "name 1 -2"] {
            let message = fields::<2>(line).unwrap_err().to_string();
            assert_eq!(message, format!("a case must be a name and 2 whole numbers; received '{line}'"));
        }
    }
}
