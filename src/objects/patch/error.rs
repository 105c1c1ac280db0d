//! Why a patch does not apply, in the API server's words.

/// Why a patch cannot be applied or computed. The messages are Kubernetes' own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// A document is not a JSON object.
    #[error("invalid JSON document")]
    NotAnObject,
    /// The document of a JSON merge patch is null.
    #[error("Invalid JSON Document")]
    BadMergeDocument,
    /// A JSON merge patch is neither an object nor a list.
    #[error("Invalid JSON Patch")]
    BadMergePatch,
    /// A document is nested deeper than [`super::MAX_DEPTH`].
    #[error("the document is nested deeper than {} levels", super::MAX_DEPTH)]
    TooDeep,
    /// The patch names a field its type does not have.
    #[error("unable to find api field in struct {ty} for the json field {field:?}")]
    UnknownField {
        /// The Go type's name.
        ty: &'static str,
        /// The JSON name.
        field: String,
    },
    /// An object is merged where the type has none.
    #[error("merging an object in json but data type is not struct, instead is: {kind}")]
    NotAStruct {
        /// The Go kind of the type.
        kind: &'static str,
    },
    /// A list is merged where the type has none.
    #[error("expected slice or array type, but got: {kind}")]
    NotASlice {
        /// The Go kind of the enclosing type.
        kind: &'static str,
    },
    /// An element of a merging list lacks the merge key.
    #[error("map: {map} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The element as Go prints it.
        map: String,
        /// The merge key.
        key: String,
    },
    /// Objects are merged into a list that declares no merge key.
    #[error("cannot merge lists without merge key for {kind}")]
    NoDeclaredMergeKey {
        /// The Go kind of the element type.
        kind: &'static str,
    },
    /// A value has another type than its place demands.
    #[error("expected a {expected}, but received a {actual}")]
    BadType {
        /// The Go type expected.
        expected: &'static str,
        /// The Go type found.
        actual: &'static str,
    },
    /// `$patch` has a value that is no directive here.
    #[error("unknown patch type: {directive} in map: {map}")]
    BadDirective {
        /// The directive as Go prints it.
        directive: String,
        /// The object that carries it, as Go prints it.
        map: String,
    },
    /// `$patch` in a compared document is not a string.
    #[error("invalid value for special key: $patch")]
    DirectiveNotAString,
    /// `$patch: merge` in a list.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirectiveInList,
    /// A list holds lists.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// The elements of two lists differ in type.
    #[error("list element types are not identical: {lists}")]
    MixedElements {
        /// The lists as Go prints them.
        lists: String,
    },
    /// Two empty lists are ordered.
    #[error("no elements in any of the given slices")]
    NoElements,
    /// An element of a `$setElementOrder` list is not an object.
    #[error("value for key {index} is not a map")]
    ElementNotAMap {
        /// The element's index.
        index: usize,
    },
    /// A malformed `$deleteFromPrimitiveList` directive.
    #[error("invalid patch format of primitive list")]
    BadPrimitiveList,
    /// A malformed `$setElementOrder` directive, or two that differ.
    #[error("invalid patch format of setElementOrder list")]
    BadElementOrder,
    /// A malformed `$retainKeys` directive, or a patch with keys outside of it.
    #[error("invalid patch format of retainKeys")]
    BadRetainKeys,
    /// The patch list and its `$setElementOrder` list contradict each other.
    #[error("The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n")]
    OrderMismatch {
        /// The patch list as Go prints it.
        patch: String,
        /// The order list as Go prints it.
        order: String,
    },
    /// Two patches to combine retain different keys.
    #[error("{ours} and {theirs} are not deep equal: this may happen when calculating the 3-way diff patch")]
    RetainKeysDiffer {
        /// The first list as Go prints it.
        ours: String,
        /// The second list as Go prints it.
        theirs: String,
    },
    /// Where the API server would fail with a runtime error of Go.
    #[error("runtime error: {0}")]
    Runtime(String),
    /// `kubectl apply` of a kind without a schema would change the object's identity.
    #[error("At least one of apiVersion, kind and name was changed")]
    IdentityChanged,
    /// A JSON patch is not a list of operations.
    #[error("json: cannot unmarshal {found} into Go value of type {expected}")]
    Malformed {
        /// The JSON type found.
        found: &'static str,
        /// The Go type expected.
        expected: &'static str,
    },
    /// A JSON patch with too many operations.
    #[error("The allowed maximum operations in a JSON patch is {limit}, got {got}")]
    TooManyOperations {
        /// The limit.
        limit: usize,
        /// The number of operations.
        got: usize,
    },
    /// The copies of a JSON patch grow the document beyond the API server's limit, in bytes.
    #[error(
        "Unable to complete the copy, the accumulated size increase of copy is {size}, exceeding the limit {limit}"
    )]
    CopyTooLarge {
        /// Bytes copied so far.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// An operation of a JSON patch does not apply.
    #[error("{reason}")]
    Operation {
        /// The operation's index in the patch.
        index: usize,
        /// Why, with the path.
        reason: String,
    },
}
