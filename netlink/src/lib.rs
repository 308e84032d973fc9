//! Kernel state: links, addresses and routes; a pure plan and its application over rtnetlink.
