//! Filters: what they make of a request, or what they answer.

use crate::objects::SharedList;
use crate::objects::gateway::{
    HttpHeaderFilter, HttpPathModifier, HttpRequestRedirect, HttpRouteFilter, HttpUrlRewrite, PathModifierType,
};

use super::matches::RouteMatch;
use super::{Forwarded, GatewayRequest};

/// The filters of a rule or backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Changes {
    headers: Option<HttpHeaderFilter>,
    rewrite: Option<HttpUrlRewrite>,
    redirect: Option<HttpRequestRedirect>,
}

impl Changes {
    pub(super) fn of(filters: &SharedList<HttpRouteFilter>) -> Self {
        Self {
            headers: filters.iter().find_map(|filter| filter.request_header_modifier.clone()),
            rewrite: filters.iter().find_map(|filter| filter.url_rewrite.clone()),
            redirect: filters.iter().find_map(|filter| filter.request_redirect.clone()),
        }
    }

    /// Status and URL of a redirect. `port`: that of the listener.
    pub(super) fn redirect(&self, request: &GatewayRequest<'_>, port: u16, by: &RouteMatch) -> Option<(u16, String)> {
        let redirect = self.redirect.as_ref()?;
        let own_scheme = if request.is_tls { "https" } else { "http" };
        let scheme = redirect.scheme.as_deref().unwrap_or(own_scheme);
        let usual = if scheme == "https" { 443 } else { 80 };
        // Without a port that of the scheme if one is given, else that of the listener.
        let port = match (redirect.port, &redirect.scheme) {
            (Some(port), _) => port,
            (None, Some(_)) => usual,
            (None, None) => i32::from(port),
        };
        let host = redirect.hostname.as_deref().unwrap_or(request.host);
        let port = if port == usual { String::new() } else { format!(":{port}") };
        let path = redirect.path.as_ref().map(|path| modified(path, request.path, by.prefix()));
        let to = format!("{scheme}://{host}{port}{}", path.as_deref().unwrap_or(request.path));
        Some((u16::try_from(redirect.status_code).unwrap_or(302), to))
    }

    /// What a backend gets of a request whose path fitted by that prefix.
    pub(super) fn apply(&self, request: &mut Forwarded, prefix: &str) {
        if let Some(headers) = &self.headers {
            change_headers(headers, &mut request.headers);
        }
        let Some(rewrite) = &self.rewrite else { return };
        if let Some(host) = &rewrite.hostname {
            request.host = host.to_string();
        }
        if let Some(path) = &rewrite.path {
            request.path = modified(path, &request.path, prefix);
        }
    }
}

fn change_headers(filter: &HttpHeaderFilter, headers: &mut Vec<(String, String)>) {
    for header in &filter.set {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&header.name));
    }
    headers.extend(filter.set.iter().chain(&filter.add).map(|one| (one.name.to_string(), one.value.to_string())));
    headers.retain(|(name, _)| !filter.remove.iter().any(|gone| gone.eq_ignore_ascii_case(name)));
}

/// A path with the change made. What a prefix leaves is put behind its replacement with one slash between.
fn modified(modifier: &HttpPathModifier, path: &str, prefix: &str) -> String {
    match modifier.kind {
        PathModifierType::ReplaceFullPath => {
            modifier.replace_full_path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/").to_owned()
        }
        PathModifierType::ReplacePrefixMatch => {
            let replacement = modifier.replace_prefix_match.as_deref().unwrap_or_default();
            let rest = path.strip_prefix(prefix.strip_suffix('/').unwrap_or(prefix)).unwrap_or(path);
            let joined = format!("{}{rest}", replacement.strip_suffix('/').unwrap_or(replacement));
            if joined.starts_with('/') { joined } else { format!("/{joined}") }
        }
    }
}
