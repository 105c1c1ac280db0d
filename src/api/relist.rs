//! What a list shows to whoever knew an earlier state.

use std::sync::Arc;

use crate::objects::{Object, Resource, with_kinds};

use super::view::Tabled;
use super::{Change, ChangeType, Table, View};

macro_rules! changes_since {
    ([] $($kind:ident, $table:ident, $v:literal, $p:literal, $n:literal, $a:tt;)*) => {
        impl View {
            /// How this view differs from an earlier one, as an informer tells it that has listed everything anew: kind by kind
            /// what is there, in the order of creation, then what is not any more. An object that was made anew under its name
            /// is first deleted. With `again` it also tells of what did not change (client-go `DeltaFIFO.Replace`).
            #[must_use]
            pub fn changes_since(&self, old: &Self, again: bool) -> Vec<Change> {
                let mut list = List { changes: Vec::new(), version: self.resource_version, again };
                $(list.compare(<crate::objects::$kind as Tabled>::table(old), &self.$table);)*
                list.compare_opaque(old, self);
                list.changes
            }
        }
    };
}

with_kinds!(changes_since);

struct List {
    changes: Vec<Change>,
    version: u64,
    again: bool,
}

impl List {
    fn compare<T: Resource>(&mut self, old: &Table<T>, new: &Table<T>)
    where
        Object: From<Arc<T>>,
    {
        for object in new.iter() {
            let before = old.get(&object.key()).cloned().map(Object::from);
            self.shown(before, object.clone().into());
        }
        for object in old.iter().filter(|object| new.get(&object.key()).is_none()) {
            self.gone(object.clone().into());
        }
    }

    fn compare_opaque(&mut self, old: &View, new: &View) {
        for (key, object) in &new.opaque {
            self.shown(old.opaque.get(key).cloned().map(Object::Opaque), Object::Opaque(object.clone()));
        }
        for (_, object) in old.opaque.iter().filter(|(key, _)| !new.opaque.contains_key(*key)) {
            self.gone(Object::Opaque(object.clone()));
        }
    }

    fn shown(&mut self, before: Option<Object>, object: Object) {
        let before = match before {
            Some(before) if before.meta().uid != object.meta().uid => {
                self.gone(before);
                None
            }
            before => before,
        };
        let version = |object: &Object| object.meta().resource_version;
        if !self.again && before.as_ref().is_some_and(|before| version(before) == version(&object)) {
            return;
        }
        let change_type = if before.is_some() { ChangeType::Modified } else { ChangeType::Added };
        self.changes.push(Change { change_type, object, old: before, resource_version: self.version });
    }

    fn gone(&mut self, object: Object) {
        let old = Some(object.clone());
        self.changes.push(Change { change_type: ChangeType::Deleted, object, old, resource_version: self.version });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::Kind;

    /// A view with ConfigMap-like Services: name, uid and version of each.
    fn view(services: &[(&str, &str, u64)]) -> View {
        let mut view = View::default();
        for (name, uid, version) in services {
            let wire = json!({"apiVersion": "v1", "kind": "Service", "spec": {}, "metadata": {
                "name": name, "namespace": "default", "uid": uid, "resourceVersion": version.to_string()}});
            let object = Object::from_wire(wire).unwrap();
            view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: *version });
        }
        view
    }

    fn told(old: &[(&str, &str, u64)], new: &[(&str, &str, u64)], again: bool) -> Vec<String> {
        let changes = view(new).changes_since(&view(old), again);
        let tell = |change: &Change| {
            assert_eq!(change.kind(), Kind::Service);
            format!("{} {}", change.change_type.as_str(), change.object.key().name)
        };
        changes.iter().map(tell).collect()
    }

    #[test]
    fn a_list_tells_what_came_what_changed_and_what_went() {
        let (old, new) = ([("a", "1", 1), ("b", "2", 2), ("c", "3", 3)], [("b", "2", 2), ("c", "3", 4), ("d", "4", 5)]);
        assert_eq!(told(&old, &new, false), ["MODIFIED c", "ADDED d", "DELETED a"]);
        assert_eq!(told(&old, &new, true), ["MODIFIED b", "MODIFIED c", "ADDED d", "DELETED a"]);
    }

    #[test]
    fn what_was_made_anew_is_first_deleted() {
        assert_eq!(told(&[("a", "1", 1)], &[("a", "9", 2)], false), ["DELETED a", "ADDED a"]);
    }

    #[test]
    fn to_who_knew_nothing_everything_is_added() {
        assert_eq!(told(&[], &[("a", "1", 1), ("b", "2", 2)], false), ["ADDED a", "ADDED b"]);
    }
}
