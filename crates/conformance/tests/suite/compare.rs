//! Comparison of tensors and of configs.

use serde_json::Value;
use stampnet_tensor::View;

/// The common bound, relative to the largest magnitude in a tensor.
pub(crate) const TOLERANCE: f32 = 1e-5;

/// Says how `got` differs from `want` by more than `tolerance` times the largest magnitude in `want`, or nothing.
///
/// A tensor of tiny numbers is held to `tolerance * FLOOR`: numbers around 1 went in, and what cancels leaves their rounding.
pub(crate) fn difference(got: View<'_>, want: View<'_>, tolerance: f32) -> Option<String> {
    const FLOOR: f32 = 0.1;
    if got.dims() != want.dims() {
        return Some(format!("has the shape {}, expected {}", got.shape(), want.shape()));
    }
    let largest = want.data().iter().fold(FLOOR, |largest, x| largest.max(x.abs()));
    let (mut worst, mut at) = (0.0, 0);
    for (i, (got, want)) in got.data().iter().zip(want.data()).enumerate() {
        let error = if got.is_nan() { f32::INFINITY } else { (got - want).abs() };
        if error > worst {
            (worst, at) = (error, i);
        }
    }
    (worst > tolerance * largest).then(|| {
        let (got, want) = (got.data()[at], want.data()[at]);
        format!("has {got} at {at}, expected {want}: off by {:.1e} of the largest, {largest}", worst / largest)
    })
}

/// Whether two configs mean the same: 1 and 1.0 do.
pub(crate) fn same_config(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_config(a, b)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_config(a, b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// The entries that differ, as `key: got, expected want`.
pub(crate) fn config_difference(got: &Value, want: &Value) -> Option<String> {
    if same_config(got, want) {
        return None;
    }
    let (Some(got), Some(want)) = (got.as_object(), want.as_object()) else { return Some(got.to_string()) };
    let keys = got.keys().chain(want.keys().filter(|key| !got.contains_key(*key)));
    let show = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let differs = |key: &&String| match (got.get(*key), want.get(*key)) {
        (Some(got), Some(want)) => !same_config(got, want),
        _ => true,
    };
    let lines =
        keys.filter(differs).map(|key| format!("{key}: {}, expected {}", show(got.get(key)), show(want.get(key))));
    Some(lines.collect::<Vec<_>>().join("; "))
}
