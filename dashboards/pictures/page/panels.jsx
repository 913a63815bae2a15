/** Grafana's components, by the type of a panel. */
import { FieldType, dateTime, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { useLayoutEffect, useMemo } from 'react';

import { configured, filledIn } from './fields.js';

function Stat({ panel, frames, theme, width, height }) {
  const { options } = panel;
  const { fieldConfig, data } = configured(panel, frames, theme);
  const values = () =>
    getFieldDisplayValues({
      fieldConfig,
      reduceOptions: options.reduceOptions,
      replaceVariables: filledIn,
      theme,
      data,
      timeZone: 'utc',
    });
  return (
    <VizRepeater
      getValues={values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, orientation, width: wide, height: high, count }) => (
        <BigValue
          value={value.display}
          count={count}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          text={options.text}
          wideLayout={options.wideLayout}
          alignmentFactors={alignmentFactors}
          parentOrientation={orientation}
          width={wide}
          height={high}
          theme={theme}
        />
      )}
      width={width}
      height={height}
      source={data}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options.orientation}
    />
  );
}

function Table({ panel, frames, theme, width, height }) {
  const { fieldConfig, data } = useMemo(() => configured(panel, frames, theme), [panel, frames, theme]);
  const { options } = panel;
  return (
    <TableNG
      data={data[0]}
      width={width}
      height={height}
      noHeader={!options.showHeader}
      cellHeight={options.cellHeight}
      sortBy={options.sortBy}
      noValue={fieldConfig.defaults.noValue}
      fieldConfig={fieldConfig}
      structureRev={1}
      resizable
    />
  );
}

/** A moment, as Grafana marks it: a dashed line, and a triangle below it. */
function Marks({ config, marks, theme }) {
  useLayoutEffect(() => {
    config.addHook('draw', (plot) => {
      const { ctx, bbox } = plot;
      const bottom = bbox.top + bbox.height;
      ctx.save();
      ctx.setLineDash([5, 5]);
      for (const { at, colour } of marks) {
        const x = plot.valToPos(at, 'x', true);
        ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(colour);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bottom);
        ctx.stroke();
        ctx.beginPath();
        ctx.moveTo(x, bottom);
        ctx.lineTo(x - 4, bottom + 6);
        ctx.lineTo(x + 4, bottom + 6);
        ctx.fill();
      }
      ctx.restore();
    });
  }, [config, marks, theme]);
  return null;
}

function Series({ panel, frames, shown, theme, width, height }) {
  const { data } = useMemo(() => configured(panel, frames, theme), [panel, frames, theme]);
  const [from, to] = [shown.from, shown.to].map((at) => dateTime(at));
  if (!data.some(({ fields, length }) => length && fields.some(({ type }) => type === FieldType.number))) {
    return <div style={{ height, display: 'grid', placeItems: 'center' }}>No data</div>;
  }
  return (
    <TimeSeries
      frames={data}
      structureRev={1}
      width={width}
      height={height}
      timeRange={{ from, to, raw: { from, to } }}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
    >
      {(config) => <Marks config={config} marks={shown.marks} theme={theme} />}
    </TimeSeries>
  );
}

export const PANELS = { stat: Stat, table: Table, timeseries: Series };
