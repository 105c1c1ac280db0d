//! "Did you mean": names that are close to a misspelt one.

use crate::objects::schema::{FieldType, TypeRef};

/// The known name that a misspelt one most likely stands for.
pub(super) fn similar<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Comparing is quadratic in the length; no field is longer.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let folded = name.to_ascii_lowercase();
    let allowed = (name.chars().count() / 3).max(1);
    known
        .map(|candidate| {
            let candidate_folded = candidate.to_ascii_lowercase();
            let distance = strsim::damerau_levenshtein(&folded, &candidate_folded);
            let is_plural = candidate_folded.strip_suffix('s') == Some(&folded)
                || folded.strip_suffix('s') == Some(&candidate_folded);
            (if is_plural { 0 } else { distance }, candidate)
        })
        .filter(|&(distance, candidate)| distance <= allowed && distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// What to do with a scalar that was meant as text. That `n` is a boolean surprises those who did not mean one.
pub(crate) fn in_quotes(written: &str) -> String {
    let why = match written.to_ascii_lowercase().as_str() {
        "y" | "n" | "yes" | "no" | "on" | "off" => " (without them y, n, yes, no, on and off are booleans)",
        _ => "",
    };
    format!("put it in quotes: \"{written}\"{why}")
}

/// The names of a small object's fields, for help texts.
pub(super) fn known_fields(ty: TypeRef) -> Option<String> {
    const FEW: usize = 12;
    let names: Vec<&str> = ty.fields().iter().map(|field| field.name).collect();
    (1..=FEW).contains(&names.len()).then(|| format!("the fields of {} are {}", ty.name(), names.join(", ")))
}

/// Whether the type's `metadata` has a field of this name.
pub(super) fn metadata_has(ty: TypeRef, name: &str) -> bool {
    match ty.field("metadata").map(|field| &field.ty) {
        Some(FieldType::Object(metadata)) => metadata.field(name).is_some(),
        _ => false,
    }
}

/// The nearest field below `ty`, at most two levels down, whose type has a field of this name; in words.
pub(super) fn inner_owner(ty: TypeRef, name: &str) -> Option<String> {
    let inner = |ty: TypeRef| {
        ty.fields().iter().filter(|field| !matches!(field.name, "metadata" | "status")).filter_map(|field| match &field
            .ty
        {
            FieldType::Object(ty) => Some((field.name, *ty, false)),
            FieldType::List(element) => match **element {
                FieldType::Object(ty) => Some((field.name, ty, true)),
                _ => None,
            },
            _ => None,
        })
    };
    let one = inner(ty).find(|(_, ty, _)| ty.field(name).is_some());
    if let Some((field, _, is_list)) = one {
        return Some(if is_list { format!("the items of \"{field}\"") } else { format!("\"{field}\"") });
    }
    inner(ty).filter(|(_, _, is_list)| !is_list).find_map(|(field, ty, _)| {
        let (below, ..) = inner(ty).find(|(_, ty, is_list)| !is_list && ty.field(name).is_some())?;
        Some(format!("\"{field}.{below}\""))
    })
}
