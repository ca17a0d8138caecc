//! The library's adapter: it keeps the rooms, and lets the hub of its namespace broadcast what is written
//! already.

use std::{convert::Infallible, sync::Arc, time::Duration};

use socketioxide::adapter::Emitter;
use socketioxide_core::{
    adapter::{BroadcastOptions, CoreAdapter, CoreLocalAdapter, DefinedAdapter, SocketEmitter},
    packet::Packet,
};

use crate::{
    app::Hubs,
    hub::{Hub, Local},
};

/// One namespace's.
pub(crate) struct HubAdapter {
    local: CoreLocalAdapter<Emitter>,
    hub: Arc<Hub>,
}

impl DefinedAdapter for HubAdapter {}

impl CoreAdapter<Emitter> for HubAdapter {
    type Error = Infallible;
    type State = Hubs;
    type AckStream = <Emitter as SocketEmitter>::AckStream;
    type InitRes = ();

    fn new(hubs: &Hubs, local: CoreLocalAdapter<Emitter>) -> Self {
        let hub = hubs.get(local.path().as_str()).expect("each namespace has a hub").clone();
        Self { local, hub }
    }

    fn init(self: Arc<Self>, on_success: impl FnOnce() + Send + 'static) {
        self.hub.clone().open(self);
        on_success();
    }

    async fn broadcast_with_ack(
        &self,
        packet: Packet,
        options: BroadcastOptions,
        timeout: Option<Duration>,
    ) -> Result<Self::AckStream, Infallible> {
        Ok(self.local.broadcast_with_ack(packet, options, timeout).0)
    }

    fn get_local(&self) -> &CoreLocalAdapter<Emitter> {
        &self.local
    }
}

impl Local for HubAdapter {
    fn adapter(&self) -> &CoreLocalAdapter<Emitter> {
        &self.local
    }
}
