//! Who agreed: queue, time to live, agreement, the one-use Permit
