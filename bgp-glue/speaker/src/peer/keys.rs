//! Other keys for connections that are there.

use tokio::net::TcpStream;

use super::Neighbor;
use crate::ao_keys::AoKeys;
use crate::connection::Connection;
use crate::socket;
use crate::tcp_ao;
use crate::tcp_auth::Md5Key;

impl Neighbor {
    pub(super) fn change_md5_key(&mut self, key: Md5Key) {
        // One that is found on its link has no keys.
        let Some(address) = self.config.address else { return };
        for stream in self.streams() {
            if let Err(error) = socket::set_key(stream, address, Some(&key)) {
                tracing::warn!(neighbor = %self.key, %error, "cannot change the TCP-MD5 key");
            }
        }
        self.config.md5_key = Some(key);
    }

    pub(super) fn change_ao_keys(&mut self, keys: AoKeys) {
        if let (Some(had), Some(address)) = (&self.config.ao_keys, self.config.address) {
            for stream in self.streams() {
                let changed = tcp_ao::change_on_connection(stream, address, had, &keys);
                if let Err(error) = changed {
                    tracing::warn!(neighbor = %self.key, %error, ?keys, "cannot change the TCP-AO keys");
                }
            }
        }
        self.config.ao_keys = Some(keys);
    }

    fn streams(&self) -> impl Iterator<Item = &TcpStream> {
        [&self.outgoing, &self.incoming].into_iter().flatten().map(Connection::stream)
    }
}
