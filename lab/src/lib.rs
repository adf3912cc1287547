//! Labs: topology, namespaces, impairments, node faces, scenarios
