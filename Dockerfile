# Base images by digest: the same bytes in every build. To update, take the digest that `docker pull node:22-slim` prints.

# Built: everything that npm installs, and the compiled program.
FROM node:22-slim@sha256:83f487e0a63425e5b4d146fb5e5be574bcbe1b7b843d3ebafdd95eaf7767a7e5 AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc NOTICE LICENSE ./
RUN npm ci
COPY tsconfig.json prisma.config.ts ./
COPY scripts scripts
COPY prisma prisma
COPY models models
COPY src src
COPY pages pages
RUN node scripts/boot.cjs build && npm prune --omit=dev

# Run: no compiler cache, no sources, no rights.
FROM node:22-slim@sha256:83f487e0a63425e5b4d146fb5e5be574bcbe1b7b843d3ebafdd95eaf7767a7e5
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/app/data
RUN mkdir data && chown node:node data
COPY --from=build /app/package.json /app/NOTICE /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/prisma prisma
COPY --from=build /app/models models
COPY --from=build /app/dist dist
USER node
VOLUME /app/data
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 4000}/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1: signals reach the program, which hands back what it runs.
CMD ["node", "dist/main.js"]
