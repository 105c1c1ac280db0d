//! Image references, as far as the pull policy depends on them (`github.com/distribution/reference`).

/// The pull policy of an image for which none is given: `Always` for the tag `latest`, written or implied.
pub(super) fn default_pull_policy(image: &str) -> &'static str {
    if tag(image) == Some("latest") { "Always" } else { "IfNotPresent" }
}

/// The tag, `latest` if neither tag nor digest is given, nothing for a digest alone or a malformed reference.
fn tag(image: &str) -> Option<&str> {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) || is_identifier(image) {
        return None;
    }
    let (name, tag) = split_tag(rest);
    if !is_name(name) {
        return None;
    }
    match (tag, digest) {
        (Some(tag), _) => Some(tag).filter(|tag| is_tag(tag)),
        (None, Some(_)) => None,
        (None, None) => Some("latest"),
    }
}

/// A colon after the last slash starts the tag; one before it starts a port.
fn split_tag(reference: &str) -> (&str, Option<&str>) {
    let path_start = reference.rfind('/').map_or(0, |slash| slash + 1);
    match reference[path_start..].find(':') {
        Some(colon) => (&reference[..path_start + colon], Some(&reference[path_start + colon + 1..])),
        None => (reference, None),
    }
}

/// 64 hexadecimal digits are an image id, which cannot be pulled.
fn is_identifier(image: &str) -> bool {
    image.len() == 64 && image.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = tag.as_bytes();
    let tail = |byte: &u8| word(*byte) || matches!(byte, b'.' | b'-');
    bytes.len() <= 128 && bytes.first().is_some_and(|first| word(*first)) && bytes.iter().all(tail)
}

fn is_name(name: &str) -> bool {
    let (domain, path) = match name.split_once('/') {
        Some((head, path)) if is_domain_like(head) => (Some(head), path),
        _ => (None, name),
    };
    domain.is_none_or(is_domain) && path.split('/').all(is_path_component)
}

/// Docker's rule for telling a registry from the first part of a path.
fn is_domain_like(head: &str) -> bool {
    head.contains(['.', ':']) || head == "localhost" || head.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_ipv6 = host.starts_with('[') && host.ends_with(']');
    port.is_none_or(is_port) && (is_ipv6 || host.split('.').all(is_domain_component))
}

fn is_domain_component(part: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
}

/// Lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_path_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separators = part.split(|character: char| character.is_ascii() && alphanumeric(character as u8));
    let starts_and_ends =
        part.bytes().next().is_some_and(alphanumeric) && part.bytes().last().is_some_and(alphanumeric);
    let is_separator = |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    starts_and_ends && separators.all(is_separator)
}

#[cfg(test)]
mod tests {
    use super::default_pull_policy;

    #[test]
    fn only_the_tag_latest_is_always_pulled() {
        let digest = format!("nginx@sha256:{}", "a".repeat(64));
        let both = format!("nginx:latest@sha256:{}", "a".repeat(64));
        let id = "a".repeat(64);
        for always in ["nginx", "nginx:latest", "registry:5000/team/web", "localhost/web:latest", "a__b/c--d", &both] {
            assert_eq!(default_pull_policy(always), "Always", "{always}");
        }
        for once in
            ["nginx:1.27", "registry:5000/web:1", &digest, "nginx@sha256:aa", " nginx", "", "Nginx", &id, "a:b:c"]
        {
            assert_eq!(default_pull_policy(once), "IfNotPresent", "{once}");
        }
    }
}
