//! The types of `socket.data` that can be written as JSON, so that they survive a restart of the server.

use std::any::{TypeId, type_name};

use parking_lot::RwLock;
use serde::{Serialize, de::DeserializeOwned};

use super::SocketData;

/// The types that an application has declared, each with a name.
#[derive(Default)]
pub(crate) struct DataTypes(RwLock<Vec<DataType>>);

struct DataType {
    id: TypeId,
    name: String,
    /// The value of this type as JSON. `None` if there is none, or it cannot be written.
    write: fn(&SocketData) -> Option<String>,
    /// Stores the value that this JSON is. False if it is none.
    read: fn(&SocketData, &str) -> bool,
}

impl DataTypes {
    /// Declares a type. Panics if the type or the name is declared already.
    pub(crate) fn add<T: Serialize + DeserializeOwned + Send + Sync + 'static>(&self, name: &str) {
        let id = TypeId::of::<T>();
        let mut types = self.0.write();
        let is_new = types.iter().all(|known| known.id != id && known.name != name);
        assert!(is_new, "{name} or its type, {}, is declared already", type_name::<T>());
        types.push(DataType {
            id,
            name: name.to_owned(),
            write: |data| data.with(|value: &T| serde_json::to_string(value).ok())?,
            read: |data, json| serde_json::from_str::<T>(json).map(|value| data.insert(value)).is_ok(),
        });
    }

    /// The values as JSON, by name. `None` if the type of a value is not declared, or a value cannot be written.
    pub(crate) fn saved(&self, data: &SocketData) -> Option<Vec<(String, String)>> {
        let types = self.0.read();
        let saved = |id| {
            let known = types.iter().find(|known| known.id == id)?;
            Some((known.name.clone(), (known.write)(data)?))
        };
        data.types().into_iter().map(saved).collect()
    }

    /// The data with these values. `None` if a name is not declared, or a value cannot be read.
    pub(crate) fn restored(&self, saved: &[(String, String)]) -> Option<SocketData> {
        let (types, data) = (self.0.read(), SocketData::default());
        let is_read = |(name, json): &(String, String)| {
            types.iter().find(|known| known.name == *name).is_some_and(|known| (known.read)(&data, json))
        };
        saved.iter().all(is_read).then_some(data)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn declared_types_are_written_and_read_and_others_are_not() {
        let types = DataTypes::default();
        types.add::<Vec<u8>>("cart");
        types.add::<BTreeMap<Vec<u8>, u8>>("no JSON");
        let data = SocketData::default();
        assert_eq!(types.saved(&data), Some(Vec::new()));
        data.insert(vec![1_u8, 2]);
        let saved = types.saved(&data).unwrap();
        assert_eq!(saved, [("cart".to_owned(), "[1,2]".to_owned())]);
        assert_eq!(types.restored(&saved).unwrap().get::<Vec<u8>>(), Some(vec![1, 2]));
        assert!(types.restored(&[("cart".to_owned(), "{}".to_owned())]).is_none());
        assert!(types.restored(&[("other".to_owned(), "1".to_owned())]).is_none());
        data.insert(BTreeMap::from([(vec![1_u8], 1_u8)]));
        assert_eq!(types.saved(&data), None, "its keys are no texts");
        data.remove::<BTreeMap<Vec<u8>, u8>>();
        data.insert(7_u8);
        assert_eq!(types.saved(&data), None, "not declared");
    }

    #[test]
    #[should_panic(expected = "declared already")]
    fn a_type_has_one_name() {
        let types = DataTypes::default();
        types.add::<u8>("one");
        types.add::<u8>("two");
    }
}
