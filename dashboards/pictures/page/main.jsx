/** One dashboard: its panels where the grid has them, on what its queries gave. */
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import '@fontsource/roboto-mono/400.css';

import { createTheme, locationUtil } from '@grafana/data';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { ThemeContext } from '@grafana/data';
import { createRoot } from 'react-dom/client';

import { PANELS } from './panels.jsx';

const COLUMNS = 24;
const CELL = 30; // pixels, as in Grafana
const GAP = 8;
const EDGE = 16;

const theme = createTheme({ colors: { mode: 'dark' } });
locationUtil.initialize({
  config: { appSubUrl: '' },
  getVariablesUrlParams: () => ({}),
  getTimeRangeForUrl: () => ({}),
});

function Heading({ shown }) {
  const muted = { color: theme.colors.text.secondary };
  return (
    <div style={{ height: shown.heading, padding: `${GAP}px ${EDGE}px`, display: 'flex', gap: 24, alignItems: 'center' }}>
      <span style={{ fontSize: 18, fontWeight: 500 }}>{shown.title}</span>
      {shown.chosen.map(([label, value]) => (
        <span key={label}>
          <span style={muted}>{label}</span> {value}
        </span>
      ))}
      <span style={{ ...muted, marginLeft: 'auto' }}>{shown.times}</span>
    </div>
  );
}

function Page({ shown }) {
  const column = (window.innerWidth - 2 * EDGE + GAP) / COLUMNS;
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Heading shown={shown} />
      <div style={{ position: 'relative', margin: `0 ${EDGE}px` }}>
        {shown.panels.map(({ panel, frames }) => {
          const { x, y, w, h } = panel.gridPos;
          const [width, height] = [Math.floor(w * column - GAP), h * (CELL + GAP) - GAP];
          const Drawn = PANELS[panel.type];
          return (
            <div key={panel.id} style={{ position: 'absolute', left: x * column, top: y * (CELL + GAP), width, height }}>
              <PanelChrome width={width} height={height} title={panel.title} description={panel.description}>
                {(innerWidth, innerHeight) => (
                  <Drawn panel={panel} frames={frames} shown={shown} theme={theme} width={innerWidth} height={innerHeight} />
                )}
              </PanelChrome>
            </div>
          );
        })}
      </div>
    </ThemeContext.Provider>
  );
}

const name = new URLSearchParams(window.location.search).get('dashboard');
const shown = await (await fetch(`/${name}.json`)).json();
await document.fonts.ready;
createRoot(document.getElementById('page')).render(<Page shown={shown} />);
