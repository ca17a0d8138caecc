//! What an application stores with a socket: Node's `socket.data`, by type.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
};

use parking_lot::RwLock;

/// Values that an application stores with a socket, one of each type. They stay as long as the socket, also while its
/// client is away.
#[derive(Default)]
pub struct SocketData(RwLock<Option<Box<Values>>>);

type Values = HashMap<TypeId, Box<dyn Any + Send + Sync>>;

impl std::fmt::Debug for SocketData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketData").finish_non_exhaustive()
    }
}

impl SocketData {
    /// Stores a value and returns the former one of its type.
    pub fn insert<T: Send + Sync + 'static>(&self, value: T) -> Option<T> {
        let former = self.0.write().get_or_insert_default().insert(TypeId::of::<T>(), Box::new(value));
        former.and_then(|former| former.downcast().ok()).map(|former| *former)
    }

    /// A copy of the value of a type.
    pub fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.with(T::clone)
    }

    /// Reads the value of a type in place. The value is locked meanwhile: `read` must not use the data of this socket.
    pub fn with<T: 'static, R>(&self, read: impl FnOnce(&T) -> R) -> Option<R> {
        let values = self.0.read();
        let value = values.as_ref()?.get(&TypeId::of::<T>())?.downcast_ref()?;
        Some(read(value))
    }

    /// Changes the value of a type in place, which is the type's default if there is none yet. The value is locked
    /// meanwhile: `change` must not use the data of this socket.
    pub fn update<T: Default + Send + Sync + 'static, R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut values = self.0.write();
        let values = values.get_or_insert_default();
        let value = values.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        change(value.downcast_mut().expect("its key is the type's"))
    }

    /// The types that have a value.
    pub(super) fn types(&self) -> Vec<TypeId> {
        self.0.read().as_ref().map_or_else(Vec::new, |values| values.keys().copied().collect())
    }

    /// Removes the value of a type.
    pub fn remove<T: 'static>(&self) -> Option<T> {
        let value = self.0.write().as_mut()?.remove(&TypeId::of::<T>())?;
        value.downcast().ok().map(|value| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_each_type() {
        let data = SocketData::default();
        assert_eq!(data.get::<u8>(), None);
        assert_eq!((data.insert(1_u8), data.insert("name"), data.insert(2_u8)), (None, None, Some(1)));
        assert_eq!((data.get::<u8>(), data.get::<&str>(), data.get::<u16>()), (Some(2), Some("name"), None));
        assert_eq!(data.update(|count: &mut u32| std::mem::replace(count, 5)), 0);
        assert_eq!((data.remove::<u32>(), data.remove::<u32>()), (Some(5), None));
    }
}
