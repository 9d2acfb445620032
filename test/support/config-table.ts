import { configKeys } from '../../src/config-keys.ts';

/** The README's table of variables, as it has to read. */
export function configTable(): string {
  const rows = configKeys.map(({ name, standard, reason }) => {
    const shown =
      standard === undefined || (Array.isArray(standard) && standard.length === 0)
        ? ''
        : `\`${String(standard)}\``;
    return `| \`${name}\` | ${shown} | ${reason} |`;
  });
  return ['| variable | default | what for |', '| --- | --- | --- |', ...rows].join('\n');
}
