"""macloom simulation: golden arithmetic, benches and the bulk path. Import the module you need."""
