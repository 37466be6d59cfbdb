//! Values in configs.

use serde_json::Value;
use stampnet_geometry::Padding;

use crate::Extent;

/// A value in a config.
pub trait ConfigValue: Sized {
    /// What the value must be, for error messages.
    const EXPECTED: &'static str;

    /// What a list of such values must be.
    const LIST: &'static str = "a list";

    /// The arguments of objects that are such values.
    const ARGUMENTS: &'static [&'static str] = &[];

    /// Reads it.
    fn read(value: &Value) -> Option<Self>;

    /// Writes it as Keras does.
    fn write(&self) -> Value;
}

impl ConfigValue for usize {
    const EXPECTED: &'static str = "a whole number that is not negative";

    fn read(value: &Value) -> Option<Self> {
        value.as_u64().and_then(|number| number.try_into().ok())
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for i64 {
    const EXPECTED: &'static str = "a whole number";
    const LIST: &'static str = "a list of whole numbers";

    fn read(value: &Value) -> Option<Self> {
        value.as_i64()
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for f64 {
    const EXPECTED: &'static str = "a number";
    const LIST: &'static str = "a list of numbers";

    fn read(value: &Value) -> Option<Self> {
        value.as_f64()
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for Padding {
    const EXPECTED: &'static str = "'valid', 'same', 'causal' or [[top, bottom], [left, right]]";

    fn read(value: &Value) -> Option<Self> {
        if let Some(name) = value.as_str() {
            return name.parse().ok();
        }
        let pair = |value: &Value| Extent::<2>::read(value).filter(|_| value.is_array()).map(|pair| pair.0);
        match value.as_array()?.as_slice() {
            [rows, columns] => {
                let ([top, bottom], [left, right]) = (pair(rows)?, pair(columns)?);
                Some(Self::Explicit { top, bottom, left, right })
            }
            _ => None,
        }
    }

    /// Keras's names; explicit pads, which its layers do not have, as its `ZeroPadding2D` writes them.
    fn write(&self) -> Value {
        match *self {
            Self::Explicit { top, bottom, left, right } => serde_json::json!([[top, bottom], [left, right]]),
            named => named.to_string().into(),
        }
    }
}

impl ConfigValue for u64 {
    const EXPECTED: &'static str = usize::EXPECTED;
    const LIST: &'static str = "a list of whole numbers that are not negative";

    fn read(value: &Value) -> Option<Self> {
        value.as_u64()
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for f32 {
    const EXPECTED: &'static str = f64::EXPECTED;

    fn read(value: &Value) -> Option<Self> {
        f64::read(value).map(|value| value as Self)
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

impl ConfigValue for String {
    const EXPECTED: &'static str = "a text";
    const LIST: &'static str = "a list of texts";

    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

impl<T: ConfigValue> ConfigValue for Vec<T> {
    const EXPECTED: &'static str = T::LIST;

    fn read(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::read).collect()
    }

    fn write(&self) -> Value {
        self.iter().map(T::write).collect()
    }
}

impl<T: ConfigValue> ConfigValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const ARGUMENTS: &'static [&'static str] = T::ARGUMENTS;

    fn read(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::read(value).map(Some) }
    }

    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::write)
    }
}
