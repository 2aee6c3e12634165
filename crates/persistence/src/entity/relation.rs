//! The relation type that sea-orm requires of every entity.

use sea_orm::{EnumIter, RelationDef, RelationTrait};

/// No relations: the few joins are written by hand.
#[derive(Copy, Clone, Debug, EnumIter)]
pub enum Relation {}

impl RelationTrait for Relation {
    fn def(&self) -> RelationDef {
        match *self {}
    }
}
