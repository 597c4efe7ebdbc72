"use strict";

// Light or dark as in the portal: as its user chose there, else as the system is.
const system = matchMedia("(prefers-color-scheme: dark)");
const showScheme = () => {
  const { classList, dataset } = document.documentElement;
  classList.toggle("dark-mode", dataset.theme ? dataset.theme === "dark" : system.matches);
};
system.addEventListener("change", showScheme);
showScheme();

SwaggerUIBundle({
  url: "{{ schema_url|escapejs }}",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  validatorUrl: null,
  // What is tried out carries what was typed under Authorize and nothing else: a browser that is asked for a password
  // by the server would send it from then on, whoever leads it here.
  requestInterceptor: (request) => (request.loadSpec ? request : Object.assign(request, { credentials: "omit" })),
  ...{{ settings|safe }},
});
