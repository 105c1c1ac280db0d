//! `$(VAR)` references (upstream `third_party/forked/golang/expansion`).

/// Replaces references of the form `$(NAME)`. A name that `value_of` does not know stays as it was written; `$$` stands for
/// `$`; anything else after a `$` is left alone.
///
/// ```
/// use seatrial::objects::environment::expand;
/// let value_of = |name: &str| (name == "A").then(|| "1".to_owned());
/// assert_eq!(expand("$(A)-$(B)-$$(A)-$A", value_of), "1-$(B)-$(A)-$A");
/// ```
pub fn expand(text: &str, value_of: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = if let Some(reference) = after.strip_prefix('(') {
            match reference.split_once(')') {
                Some((name, rest)) => {
                    match value_of(name) {
                        Some(value) => out.push_str(&value),
                        None => out.extend(["$(", name, ")"]),
                    }
                    rest
                }
                None => {
                    out.push_str("$(");
                    reference
                }
            }
        } else if let Some(rest) = after.strip_prefix('$') {
            out.push('$');
            rest
        } else {
            // What follows is taken along, so that it does not begin another reference.
            let mut chars = after.chars();
            out.push('$');
            out.extend(chars.next());
            chars.as_str()
        };
    }
    out.push_str(rest);
    out
}
