//! Columns by type. The function names contain the type; the suffix `_null` means that the column is nullable.

use sea_orm::sea_query::ColumnDef;

/// Defines for each type a function for `NOT NULL` columns and, if its name is given, one for nullable columns.
macro_rules! columns {
    ($($sql_type:ident: $required:ident $(, $nullable:ident)?;)+) => {$(
        pub(crate) fn $required(name: &'static str) -> ColumnDef {
            ColumnDef::new(name).$sql_type().not_null().take()
        }
        $(
            pub(crate) fn $nullable(name: &'static str) -> ColumnDef {
                ColumnDef::new(name).$sql_type().null().take()
            }
        )?
    )+};
}

columns! {
    big_integer: big_integer, big_integer_null;
    blob: blob;
    boolean: boolean;
    integer: integer, integer_null;
    text: text, text_null;
    timestamp_with_time_zone: timestamp_with_time_zone, timestamp_with_time_zone_null;
    uuid: uuid, uuid_null;
}
