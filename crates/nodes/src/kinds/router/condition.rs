//! Conditions of a route.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sluice_domain::run::lookup_path;

use crate::config::common::null_as_default;
use crate::text::python::{is_truthy, to_float, to_text};

/// Comparison of a value from the inputs with a constant.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Condition {
    /// Dotted path of the value to compare, such as `node.field`. A condition without a variable never holds.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub(super) variable: String,
    /// The comparison. `number_equals`, `greater_than` and `less_than` compare numbers. `is_empty` and
    /// `is_not_empty` test the truth value as in Python and ignore `value`. The others compare texts as
    /// returned by Python's `str()`. For a missing or null value, only `is_empty` holds. Default: `contains`.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(schema_with = "operator_schema")]
    pub(super) operator: Operator,
    /// The constant to compare with.
    pub(super) value: Value,
    /// The operator that joins this condition to the result of the previous ones. Ignored in the first
    /// condition.
    #[serde(rename = "logicalOperator", deserialize_with = "null_as_default")]
    #[schemars(schema_with = "junction_schema")]
    pub(super) junction: Junction,
}

/// A comparison of the results of Python's `str()` or, for numbers, `float()`. A comparison of numbers doesn't hold if
/// one of the values is not a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operator {
    #[default]
    Contains,
    Equals,
    NumberEquals,
    GreaterThan,
    LessThan,
    StartsWith,
    NotStartsWith,
    IsEmpty,
    IsNotEmpty,
}

impl Operator {
    const ALL: [Self; 9] = [
        Self::Contains,
        Self::Equals,
        Self::NumberEquals,
        Self::GreaterThan,
        Self::LessThan,
        Self::StartsWith,
        Self::NotStartsWith,
        Self::IsEmpty,
        Self::IsNotEmpty,
    ];

    /// Returns true if the operator compares numbers.
    pub(super) fn is_numeric(self) -> bool {
        matches!(self, Self::NumberEquals | Self::GreaterThan | Self::LessThan)
    }
}

fn operator_schema(_: &mut SchemaGenerator) -> Schema {
    let names = Operator::ALL.iter().map(|operator| json!(operator)).chain([Value::Null]);
    json_schema!({"type": ["string", "null"], "enum": Value::Array(names.collect())})
}

/// A logical operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Junction {
    #[default]
    #[serde(rename = "AND", alias = "and")]
    And,
    #[serde(rename = "OR", alias = "or")]
    Or,
}

fn junction_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "null"], "enum": ["AND", "OR", "and", "or", null]})
}

impl Condition {
    /// Returns true if the condition holds for `inputs`.
    pub(super) fn holds(&self, inputs: &Value) -> bool {
        if self.variable.is_empty() {
            return false;
        }
        let Some(actual) = lookup_path(inputs, &self.variable).filter(|actual| !actual.is_null()) else {
            return self.operator == Operator::IsEmpty;
        };
        let numbers = || to_float(actual).zip(to_float(&self.value));
        match self.operator {
            Operator::Contains => to_text(actual).contains(&to_text(&self.value)),
            Operator::Equals => to_text(actual) == to_text(&self.value),
            Operator::NumberEquals => numbers().is_some_and(|(actual, value)| actual == value),
            Operator::GreaterThan => numbers().is_some_and(|(actual, value)| actual > value),
            Operator::LessThan => numbers().is_some_and(|(actual, value)| actual < value),
            Operator::StartsWith => to_text(actual).starts_with(&to_text(&self.value)),
            Operator::NotStartsWith => !to_text(actual).starts_with(&to_text(&self.value)),
            Operator::IsEmpty => !is_truthy(actual),
            Operator::IsNotEmpty => is_truthy(actual),
        }
    }
}
