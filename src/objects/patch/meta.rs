//! Walks the schema beside a document, as upstream walks Go types.

use super::PatchError;
use crate::objects::schema::{Field, FieldType, PatchStrategy, TypeRef};

/// The type of the value at hand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Schema {
    Struct(TypeRef),
    Other(&'static FieldType),
}

/// How a field is patched.
#[derive(Debug, Clone, Copy)]
pub(super) struct PatchMeta {
    pub(super) strategy: PatchStrategy,
    /// Empty when there is none.
    pub(super) merge_key: &'static str,
}

impl Schema {
    /// The Go kind of the type.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Struct(_) => "struct",
            Self::Other(ty) => match ty {
                FieldType::String => "string",
                FieldType::Int32 => "int32",
                FieldType::Int64 => "int64",
                FieldType::Bool => "bool",
                FieldType::Number => "float64",
                FieldType::Bytes | FieldType::List(_) => "slice",
                FieldType::Map(_) => "map",
                _ => "struct",
            },
        }
    }

    /// The type and patch metadata of an object field.
    ///
    /// # Errors
    /// When this type is not an object with known fields, or has no such field.
    pub(super) fn object(self, name: &str) -> Result<(Self, PatchMeta), PatchError> {
        self.field(name).map(|field| (Self::of(&field.ty), PatchMeta::of(field)))
    }

    /// The element type and patch metadata of a list field.
    ///
    /// # Errors
    /// As [`Schema::object`], or when the field is not a list.
    pub(super) fn list(self, name: &str) -> Result<(Self, PatchMeta), PatchError> {
        let field = self.field(name)?;
        match &field.ty {
            FieldType::List(element) => Ok((Self::of(element), PatchMeta::of(field))),
            _ => Err(PatchError::NotASlice { kind: self.kind() }),
        }
    }

    fn of(ty: &'static FieldType) -> Self {
        match ty {
            FieldType::Object(ty) => Self::Struct(*ty),
            ty => Self::Other(ty),
        }
    }

    /// The field Go's decoder would take: the exact name, else the first that differs only in case.
    fn field(self, name: &str) -> Result<&'static Field, PatchError> {
        let ty = match self {
            Self::Struct(ty) => ty,
            Self::Other(ty) => return Err(no_fields(ty, name, self.kind())),
        };
        ty.field(name)
            .or_else(|| ty.fields().iter().find(|field| field.name.eq_ignore_ascii_case(name)))
            .ok_or_else(|| PatchError::UnknownField { ty: ty.name(), field: name.to_owned() })
    }
}

/// Some scalars of JSON are structs without JSON fields in Go.
fn no_fields(ty: &FieldType, name: &str, kind: &'static str) -> PatchError {
    let ty = match ty {
        FieldType::Quantity => "Quantity",
        FieldType::IntOrString => "IntOrString",
        FieldType::Time => "Time",
        FieldType::MicroTime => "MicroTime",
        FieldType::Any => "RawExtension",
        _ => return PatchError::NotAStruct { kind },
    };
    PatchError::UnknownField { ty, field: name.to_owned() }
}

impl PatchMeta {
    fn of(field: &'static Field) -> Self {
        Self { strategy: field.patch, merge_key: field.merge_key.unwrap_or_default() }
    }
}
