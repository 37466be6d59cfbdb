//! Round numbers along an axis.

/// An axis that begins and ends on a tick.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ticks {
    /// The ticks, ascending; two at least.
    pub(super) values: Vec<f64>,
    /// Digits after the point that tell them apart.
    pub(super) digits: usize,
}

impl Ticks {
    /// About `wanted` ticks at multiples of 1, 2 or 5 times a power of ten, that enclose `low..=high`.
    pub(super) fn around(low: f64, high: f64, wanted: usize) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5 * spread(low), low + 0.5 * spread(low)) };
        let rough = (high - low) / wanted as f64;
        let power = rough.log10().floor();
        let mantissa = rough / 10_f64.powf(power);
        let rounded = [1.0, 2.0, 5.0].into_iter().find(|&step| mantissa <= step * 1.0001).unwrap_or(10.0);
        let step = rounded * 10_f64.powf(power);
        // A hair of tolerance, so that an end that is a tick but for rounding gets no further one.
        let first = (low / step + 1e-9).floor() as i64;
        let last = ((high / step - 1e-9).ceil() as i64).max(first + 1);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        Self { values: (first..=last).map(|i| i as f64 * step).collect(), digits }
    }

    /// The first and the last tick.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.values[0], self.values[self.values.len() - 1])
    }
}

/// A width for an axis around a single value.
fn spread(value: f64) -> f64 {
    if value == 0.0 { 1.0 } else { value.abs() * 0.2 }
}

/// Every how many epochs to write a number, so that at most ten are written.
pub(super) fn epoch_step(epochs: usize) -> usize {
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|step| step * 10_usize.pow(power)));
    steps.into_iter().find(|step| epochs <= 10 * step).expect("the steps grow beyond every number of epochs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_the_data() {
        let cases: [(f64, f64, &[f64], usize); 6] = [
            (0.21, 0.58, &[0.2, 0.3, 0.4, 0.5, 0.6], 1),
            (0.0, 1.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 1),
            (80.3, 93.9, &[80.0, 85.0, 90.0, 95.0], 0),
            (0.0012, 0.0047, &[0.001, 0.002, 0.003, 0.004, 0.005], 3),
            (2.3, 2.3, &[2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6], 1),
            (0.0, 0.0, &[-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6], 1),
        ];
        for (low, high, want, digits) in cases {
            let ticks = Ticks::around(low, high, 5);
            let near = ticks.values.len() == want.len()
                && ticks.values.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-9);
            assert!(near, "{low}..{high}: {:?}", ticks.values);
            assert_eq!(ticks.digits, digits, "{low}..{high}");
            assert!(ticks.ends().0 <= low && ticks.ends().1 >= high);
        }
    }

    #[test]
    fn at_most_ten_epochs_are_numbered() {
        assert_eq!([1, 10, 11, 20, 50, 51, 100, 101, 1000].map(epoch_step), [1, 1, 2, 2, 5, 10, 10, 20, 100]);
    }
}
