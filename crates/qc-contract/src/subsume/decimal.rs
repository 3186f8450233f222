//! Exact decimal numbers: what JSON's numbers are, without the rounding of binary fractions.

use serde_json::{Number, Value};

/// Most decimal places and zeros that are followed exactly.
const DIGIT_LIMIT: i32 = 36;

/// `mantissa / 10^places`, in lowest terms, so that equal numbers are equal values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Decimal {
    mantissa: i128,
    places: u32,
}

impl Decimal {
    pub(super) const ZERO: Self = Self { mantissa: 0, places: 0 };
    pub(super) const ONE: Self = Self { mantissa: 1, places: 0 };

    fn new(mut mantissa: i128, mut places: u32) -> Self {
        while places > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            places -= 1;
        }
        Self { mantissa, places }
    }

    pub(super) fn whole(value: i128) -> Self {
        Self { mantissa: value, places: 0 }
    }

    /// `None` when the number has more digits than are followed.
    pub(super) fn of(number: &Number) -> Option<Self> {
        let text = number.to_string();
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text.as_str(), 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let places = i32::try_from(fraction.len()).ok()? - exponent;
        if places.abs() > DIGIT_LIMIT {
            return None;
        }
        match u32::try_from(places) {
            Ok(places) => Some(Self::new(mantissa, places)),
            Err(_) => Some(Self::whole(mantissa.checked_mul(power(places.unsigned_abs())?)?)),
        }
    }

    /// Both over one denominator.
    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let places = self.places.max(other.places);
        Some((self.scaled(places)?, other.scaled(places)?, places))
    }

    fn scaled(self, places: u32) -> Option<i128> {
        self.mantissa.checked_mul(power(places - self.places)?)
    }

    pub(super) fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        self.aligned(other).map(|(own, other, _)| own.cmp(&other))
    }

    pub(super) fn is_multiple_of(self, step: Self) -> Option<bool> {
        let (own, step, _) = self.aligned(step)?;
        own.checked_rem(step).map(|rest| rest == 0)
    }

    /// Whether dividing by it means the same to every validator: many divide binary fractions, and 3 is no multiple of
    /// 0.3 to them.
    pub(super) fn divides_alike(self) -> bool {
        self.places == 0
    }

    /// The smallest number that is a multiple of both.
    pub(super) fn common_multiple(self, other: Self) -> Option<Self> {
        let (own, other, places) = self.aligned(other)?;
        let divisor = greatest_divisor(own, other);
        let multiple = (own / divisor).checked_mul(other)?;
        Some(Self::new(multiple.checked_abs()?, places))
    }

    /// `self / step`, rounded down.
    pub(super) fn steps(self, step: Self) -> Option<i128> {
        let (own, step, _) = self.aligned(step)?;
        own.checked_div_euclid(step)
    }

    pub(super) fn times(self, count: i128) -> Option<Self> {
        Some(Self::new(self.mantissa.checked_mul(count)?, self.places))
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let (own, other, places) = self.aligned(other)?;
        Some(Self::new(own.checked_add(other)?, places))
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.times(-1)?)
    }

    /// `self * part / 10^places`.
    pub(super) fn part(self, part: i128, places: u32) -> Option<Self> {
        Some(Self::new(self.mantissa.checked_mul(part)?, self.places.checked_add(places)?))
    }

    /// As JSON, if JSON's number is this very number.
    pub(super) fn value(self) -> Option<Value> {
        if self.places == 0 {
            if let Ok(value) = i64::try_from(self.mantissa) {
                return Some(Value::from(value));
            }
            if let Ok(value) = u64::try_from(self.mantissa) {
                return Some(Value::from(value));
            }
        }
        let number = format!("{}e-{}", self.mantissa, self.places).parse::<f64>().ok()?;
        let number = Number::from_f64(number)?;
        (Self::of(&number)? == self).then_some(Value::Number(number))
    }
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

fn greatest_divisor(mut left: i128, mut right: i128) -> i128 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decimal(value: Value) -> Decimal {
        let Value::Number(number) = value else { panic!("a number") };
        Decimal::of(&number).expect("fits")
    }

    #[test]
    fn fractions_are_exact() {
        assert_eq!(decimal(json!(0.3)).is_multiple_of(decimal(json!(0.1))), Some(true));
        assert_eq!(decimal(json!(0.35)).is_multiple_of(decimal(json!(0.1))), Some(false));
        assert_eq!(decimal(json!(1.0)), decimal(json!(1)));
        assert_eq!(decimal(json!(1e3)), decimal(json!(1000)));
        assert_eq!(decimal(json!(-7)).steps(decimal(json!(2))), Some(-4));
        let both = decimal(json!(0.4)).common_multiple(decimal(json!(0.6)));
        assert_eq!(both, Some(decimal(json!(1.2))));
        assert_eq!(decimal(json!(2.5)).value(), Some(json!(2.5)));
        let huge: Number = serde_json::from_str("1e300").expect("is a number");
        assert_eq!(Decimal::of(&huge), None);
    }
}
