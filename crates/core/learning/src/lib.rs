//! What we learn: outcomes, predicted against measured
