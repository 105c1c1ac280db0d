//! `describe limitrange` (upstream `describeLimitRange`).

use std::collections::BTreeSet;

use super::parts::name_and_namespace;
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{LimitRange, Quantity, Resource};

pub(super) fn describe(out: &mut TabWriter, range: &LimitRange) {
    name_and_namespace(out, &range.meta);
    out.line(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    out.line(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    limit_rows(out, "", range);
}

/// A row for each resource that a limit names. kubectl leaves their order to chance; here they are sorted.
pub(super) fn limit_rows(out: &mut TabWriter, prefix: &str, range: &LimitRange) {
    const LISTS: [&str; 5] = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
    let wire = range.to_wire();
    for limit in wire.at("spec").list("limits") {
        let names: BTreeSet<&str> = LISTS.iter().flat_map(|list| limit.entries(list)).map(|(name, _)| name).collect();
        for name in names {
            let amount = |list: &str| {
                let text = limit.at(list).text_some(name)?;
                Some(text.parse::<Quantity>().map_or_else(|_| text.to_owned(), |amount| amount.to_string()))
            };
            let cells = LISTS.map(|list| amount(list).unwrap_or_else(|| "-".to_owned())).join("\t");
            out.line(0, format_args!("{prefix}{}\t{name}\t{cells}", limit.text("type")));
        }
    }
}
