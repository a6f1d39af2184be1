"""macloom hardware: formats, designs, plans, generators, synthesis. Import the module you need."""
