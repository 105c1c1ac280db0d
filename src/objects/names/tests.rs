use proptest::prelude::*;

use super::*;

#[test]
fn dns_labels() {
    assert!(dns1123_label("a").is_empty() && dns1123_label("0-a").is_empty());
    assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
    assert_eq!(
        dns1123_label("My_Name"),
        [
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
          with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
          '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        ]
    );
    assert_eq!(dns1123_label(&"a".repeat(64)), ["must be no more than 63 characters"]);
    assert_eq!(
        dns1035_label("0a"),
        ["a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
          character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation \
          is '[a-z]([-a-z0-9]*[a-z0-9])?')"]
    );
}

#[test]
fn dns_subdomains() {
    assert!(dns1123_subdomain("a.b-c.0").is_empty());
    let wording = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
                   must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                   '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    for wrong in ["", ".", "a..b", "a.-b", "A", "ä", "a\n"] {
        assert_eq!(dns1123_subdomain(wrong), [wording], "{wrong:?}");
    }
    assert_eq!(dns1123_subdomain(&"a".repeat(254)), ["must be no more than 253 characters"]);
    assert!(dns1123_subdomain_with_underscore("_a.b_c").is_empty());
    assert!(!dns1123_subdomain_with_underscore("__a").is_empty());
    assert!(wildcard_dns1123_subdomain("*.a.b").is_empty());
    for wrong in ["*", "*a.b", "a.*.b", "*.*.a"] {
        assert_eq!(wildcard_dns1123_subdomain(wrong).len(), 1, "{wrong}");
    }
}

#[test]
fn label_keys_complain_about_prefix_and_name() {
    assert!(label_key("example.com/My.name_0").is_empty());
    assert_eq!(label_key("/a"), ["prefix part must be non-empty"]);
    let complaints = label_key("A/");
    assert!(complaints[0].starts_with("prefix part a lowercase RFC 1123 subdomain must"));
    assert_eq!(complaints[1], "name part must be non-empty");
    assert!(complaints[2].starts_with("name part must consist of alphanumeric characters"));
    assert_eq!(label_key(&format!("{}/a", "a".repeat(254))), ["prefix part must be no more than 253 bytes"]);
    assert_eq!(label_key(&"a".repeat(64)), ["name part must be no more than 63 bytes"]);
    assert!(
        label_key("a/b/c")[0].ends_with("with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")
    );
}

#[test]
fn label_values() {
    assert!(label_value("").is_empty() && label_value("A_b.c").is_empty());
    assert_eq!(label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    assert_eq!(label_value("-").len(), 1);
}

#[test]
fn ports() {
    assert!(port_name("http-8080").is_empty());
    assert_eq!(
        port_name("-A--0-aaaaaaaaaaaaa"),
        [
            "must be no more than 15 characters",
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
            "must not contain consecutive hyphens",
            "must not begin or end with a hyphen"
        ]
    );
    assert_eq!(port_name("80"), ["must contain at least one letter (a-z)"]);
    assert_eq!(port_number(0), ["must be between 1 and 65535, inclusive"]);
    assert!(port_number(65535).is_empty() && !port_number(65536).is_empty());
}

#[test]
fn environment_and_config_keys() {
    assert!(env_var_name("my.env-NAME_1").is_empty() && relaxed_env_var_name("1 b").is_empty());
    assert_eq!(env_var_name("..")[0], "must not be '..'");
    assert_eq!(env_var_name("1").len(), 1);
    assert_eq!(relaxed_env_var_name(""), ["environment variable name must be non-empty"]);
    for wrong in ["a=b", "a\n", "ä"] {
        assert_eq!(relaxed_env_var_name(wrong).len(), 1);
    }
    assert_eq!(config_map_key("..a"), ["must not start with '..'"]);
    assert_eq!(config_map_key("a/b").len(), 1);
    assert!(c_identifier("_a1").is_empty());
    assert!(!c_identifier("1a").is_empty() && !c_identifier("").is_empty() && !c_identifier("a-b").is_empty());
    assert!(percent("100%").is_empty() && !percent("%").is_empty() && !percent("-1%").is_empty());
}

#[test]
fn a_generated_names_last_dash_takes_its_neighbour_along() {
    assert_eq!(mask_trailing_dash("web-"), "wea");
    assert_eq!(mask_trailing_dash("a-"), "a");
    assert_eq!(mask_trailing_dash("-"), "-");
    assert_eq!(mask_trailing_dash("web"), "web");
    assert!(name_is_dns_subdomain("web-", true).is_empty() && !name_is_dns_subdomain("web-", false).is_empty());
    assert!(name_is_dns_label("web.-", true).is_empty(), "the dot goes with the dash");
}

#[test]
fn path_segments() {
    assert!(path_segment_name("a:b", false).is_empty() && path_segment_name(".", true).is_empty());
    assert_eq!(path_segment_name("..", false), ["may not be '..'"]);
    assert_eq!(path_segment_name("a/%", false), ["may not contain '/'", "may not contain '%'"]);
}

#[test]
fn addresses() {
    for fine in ["10.9.8.7", "2001:db8::ffff", "::", "FE80:0:0:0:0:0:0:0abc", "1:2:3:4:5:6:7::", "64:ff9b::1.2.3.4"] {
        assert!(ip(fine).is_empty(), "{fine}");
    }
    for wrong in
        ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.-4", "::1::", "1:2:3:4:5:6:7:8::", ":1", "1:", "g::", "a"]
    {
        assert_eq!(ip(wrong), ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"], "{wrong}");
    }
    assert_eq!(ip("010.0.0.1"), ["must not have leading 0s"]);
    assert_eq!(ip("::00001"), ["must not have leading 0s"]);
    assert_eq!(ip("::ffff:1.2.3.4"), ["must not be an IPv4-mapped IPv6 address"]);
    assert_eq!(ip_strict("FE80::0"), ["must be in canonical form (\"fe80::\")"]);
    assert!(ip_strict("fe80::1").is_empty());
}

#[test]
fn ranges() {
    for fine in ["10.9.8.0/24", "0.0.0.0/0", "2001:DB8:0::/64", "1.2.3.4/32", "::/0"] {
        assert!(cidr(fine).is_empty(), "{fine}");
    }
    for wrong in ["", "10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/a", "10.0.0/8"] {
        assert_eq!(cidr(wrong), ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"], "{wrong}");
    }
    assert_eq!(cidr("10.0.0.0/08"), ["must not have leading 0s in IP or prefix length"]);
    assert_eq!(cidr("10.0.0.1/8"), ["must not have bits set beyond the prefix length"]);
    assert_eq!(cidr("::ffff:1.2.3.0/120"), ["must not have an IPv4-mapped IPv6 address"]);
    assert_eq!(cidr_strict("2001:DB8::/64"), ["must be in canonical form (\"2001:db8::/64\")"]);
    assert!(interface_address("10.0.0.1/8").is_empty());
    assert_eq!(interface_address("::ffff:192.168.0.1/120"), ["must be in canonical form (\"192.168.0.1/24\")"]);
}

#[test]
fn quotes_are_those_of_go() {
    assert_eq!(
        quoted("a\"\\\n\0\x7f\u{85}ä\u{301}\u{200b}\u{1f600}"),
        "\"a\\\"\\\\\\n\\x00\\x7f\\u0085ä\u{301}\\u200b😀\""
    );
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = (dns1123_label(&text), label_key(&text), mask_trailing_dash(&text), quoted(&text));
        let _ = (ip_strict(&text), cidr_strict(&text), interface_address(&text), path_segment_name(&text, false));
    }

    #[test]
    fn near_addresses_never_panic_and_std_agrees(text in "[0-9a-f.:/]{0,24}") {
        let _ = (cidr_strict(&text), interface_address(&text));
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            prop_assert_eq!(net::parse_ip(&text).map(|a| a.to_canonical()), Some(address.to_canonical()));
        }
    }
}
