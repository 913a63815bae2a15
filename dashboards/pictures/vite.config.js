import { cpSync } from 'node:fs';
import { defineConfig } from 'vite';

/** The icons, from where Grafana's components ask for them. */
const icons = {
  name: 'icons',
  closeBundle: () => cpSync('node_modules/@grafana/ui/dist/public/img/icons', 'dist/public/build/img/icons', { recursive: true }),
};

export default defineConfig({ plugins: [icons], build: { chunkSizeWarningLimit: 10_000, rolldownOptions: { checks: { moduleLevelDirective: false } } } });
