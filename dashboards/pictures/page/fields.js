/** What a panel says of its fields, as Grafana applies it: by the kind of panel's own defaults first. */
import {
  FieldColorModeId,
  Registry,
  applyFieldOverrides,
  identityOverrideProcessor,
  thresholdsOverrideProcessor,
  toDataFrame,
} from '@grafana/data';

/** The defaults of the plugins, which are in Grafana and not in its components. */
const DEFAULTS = {
  stat: { color: { mode: FieldColorModeId.Thresholds } },
  table: {
    color: { mode: FieldColorModeId.Thresholds },
    custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false, filterable: false },
  },
  timeseries: {
    color: { mode: FieldColorModeId.PaletteClassic },
    custom: {
      drawStyle: 'line',
      lineInterpolation: 'linear',
      lineWidth: 1,
      fillOpacity: 0,
      gradientMode: 'none',
      pointSize: 5,
      showPoints: 'auto',
      spanNulls: false,
      axisPlacement: 'auto',
      axisColorMode: 'text',
      scaleDistribution: { type: 'linear' },
      stacking: { mode: 'none', group: 'A' },
      thresholdsStyle: { mode: 'off' },
      hideFrom: { tooltip: false, viz: false, legend: false },
    },
  },
};
const PLAIN = ['unit', 'decimals', 'min', 'max', 'displayName', 'noValue', 'color', 'links'];

const item = (id, process = identityOverrideProcessor) => ({
  id,
  name: id,
  path: id.replace(/^custom\./, ''),
  isCustom: id.startsWith('custom.'),
  process,
  shouldApply: () => true,
});

/** Of variables only those of a field: `${__field.labels.NAME}` and `${__field.name}`. */
export function filledIn(text, variables) {
  const field = variables?.__dataContext?.value.field;
  return text.replace(/\$\{__field\.(?:labels\.(\w+)|name)\}/g, (_, label) => (label ? field.labels?.[label] : field.name) ?? '');
}

function registry(custom, overrides) {
  const named = overrides.flatMap(({ properties }) => properties.map(({ id }) => id)).filter((id) => id.startsWith('custom.'));
  const customs = new Set([...Object.keys(custom).map((name) => `custom.${name}`), ...named]);
  return new Registry(() => [
    ...PLAIN.map((id) => item(id, id === 'displayName' ? (text, { field }) => text && filledIn(text, field.state.scopedVars) : undefined)),
    item('thresholds', thresholdsOverrideProcessor),
    ...[...customs].map((id) => item(id)),
  ]);
}

/** The field configuration of a panel, and its frames by it. */
export function configured(panel, frames, theme) {
  const { defaults, overrides } = panel.fieldConfig;
  const base = DEFAULTS[panel.type];
  const custom = { ...base.custom, ...defaults.custom };
  const fieldConfig = { defaults: { ...base, ...defaults, custom }, overrides };
  const data = applyFieldOverrides({
    data: frames.map((frame) => toDataFrame(frame)),
    fieldConfig,
    fieldConfigRegistry: registry(custom, overrides),
    replaceVariables: filledIn,
    theme,
    timeZone: 'utc',
  });
  return { fieldConfig, data };
}
