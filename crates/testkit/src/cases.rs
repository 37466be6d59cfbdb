//! How many cases a property test draws.

use proptest::test_runner::Config;

/// `cases` of them, or as many as the environment variable `PROPTEST_CASES` says if these are fewer: emulators and
/// memory checkers are slow.
pub fn cases(cases: u32) -> Config {
    let most = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
    Config::with_cases(cases.min(most))
}
