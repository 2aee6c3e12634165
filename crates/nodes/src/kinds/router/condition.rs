use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_domain::run::dig;

use crate::config::null_as_default;
use crate::python_text::{float, text, truth};

/// A comparison of something that arrives with a fixed value.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Condition {
    /// The dotted path of what is compared, as in `node.field`. Nothing holds for an empty one.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    variable: String,
    /// How it is compared.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(schema_with = "operator_schema")]
    operator: Operator,
    /// What it is compared with.
    value: Value,
    /// How the condition is joined to those before it.
    #[serde(rename = "logicalOperator", deserialize_with = "null_as_default")]
    #[schemars(schema_with = "junction_schema")]
    junction: Junction,
}

/// How two values are compared: as the texts that Python writes for them, or as the numbers that Python
/// reads from them. What is no number compares as false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operator {
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

const OPERATORS: [&str; 9] = [
    "contains",
    "equals",
    "number_equals",
    "greater_than",
    "less_than",
    "starts_with",
    "not_starts_with",
    "is_empty",
    "is_not_empty",
];

fn operator_schema(_: &mut SchemaGenerator) -> Schema {
    let names = OPERATORS.iter().map(|name| Value::from(*name)).chain([Value::Null]);
    json_schema!({"type": ["string", "null"], "enum": Value::Array(names.collect())})
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Junction {
    #[default]
    #[serde(rename = "AND", alias = "and")]
    And,
    #[serde(rename = "OR", alias = "or")]
    Or,
}

fn junction_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "null"], "enum": ["AND", "OR", "and", "or", null]})
}

/// Whether the conditions, read from left to right, hold for `input`. No conditions always hold.
pub(super) fn all_hold(conditions: &[Condition], input: &Value) -> bool {
    let Some((first, others)) = conditions.split_first() else { return true };
    others.iter().fold(first.holds(input), |so_far, condition| match condition.junction {
        Junction::And => so_far && condition.holds(input),
        Junction::Or => so_far || condition.holds(input),
    })
}

impl Condition {
    fn holds(&self, input: &Value) -> bool {
        if self.variable.is_empty() {
            return false;
        }
        let Some(found) = dig(input, &self.variable).filter(|found| !found.is_null()) else {
            return self.operator == Operator::IsEmpty;
        };
        let numbers = || float(found).zip(float(&self.value));
        match self.operator {
            Operator::Contains => text(found).contains(&text(&self.value)),
            Operator::Equals => text(found) == text(&self.value),
            Operator::NumberEquals => numbers().is_some_and(|(found, value)| found == value),
            Operator::GreaterThan => numbers().is_some_and(|(found, value)| found > value),
            Operator::LessThan => numbers().is_some_and(|(found, value)| found < value),
            Operator::StartsWith => text(found).starts_with(&text(&self.value)),
            Operator::NotStartsWith => !text(found).starts_with(&text(&self.value)),
            Operator::IsEmpty => !truth(found),
            Operator::IsNotEmpty => truth(found),
        }
    }
}
