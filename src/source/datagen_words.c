/*-------------------------------------------------------------------------
 *
 * datagen_words.c
 *	  The words and templates that the string strategies of datagen draw from.
 *
 * Constant data only; datagen_text.c says what a template is.  Order and number of the words are
 * part of what a seed means: a change makes other rows from the same seed.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "source/datagen_internal.h"

/* Packed word lists. */
/* clang-format off */

static const char *const bs[] = {
	"{bs_verb} {bs_adj} {bs_noun}"
};

static const char *const bs_adj[] = {
	"24/365", "24/7", "B2B", "B2C", "back-end", "best-of-breed", "bleeding-edge", "bricks-and-clicks",
	"clicks-and-mortar", "collaborative", "compelling", "cross-media", "cross-platform", "customized",
	"cutting-edge", "distributed", "dot-com", "dynamic", "e-business", "efficient", "end-to-end", "enterprise",
	"extensible", "frictionless", "front-end", "global", "granular", "holistic", "impactful", "innovative",
	"integrated", "interactive", "intuitive", "killer", "leading-edge", "magnetic", "mission-critical",
	"next-generation", "one-to-one", "open-source", "out-of-the-box", "plug-and-play", "proactive", "real-time",
	"revolutionary", "rich", "robust", "scalable", "seamless", "sticky", "strategic", "synergistic", "transparent",
	"turn-key", "ubiquitous", "user-centric", "value-added", "vertical", "viral", "virtual", "visionary",
	"web-enabled", "wireless", "world-class"
};

static const char *const bs_noun[] = {
	"action-items", "applications", "architectures", "bandwidth", "channels", "communities", "content",
	"convergence", "deliverables", "e-business", "e-commerce", "e-markets", "e-services", "e-tailers",
	"experiences", "eyeballs", "functionalities", "infomediaries", "infrastructures", "initiatives", "interfaces",
	"markets", "methodologies", "metrics", "mindshare", "models", "networks", "niches", "paradigms",
	"partnerships", "platforms", "portals", "relationships", "ROI", "schemas", "solutions", "supply-chains",
	"synergies", "systems", "technologies", "users", "vortals", "web-readiness"
};

static const char *const bs_verb[] = {
	"aggregate", "architect", "benchmark", "brand", "cultivate", "deliver", "deploy", "disintermediate", "drive",
	"e-enable", "embrace", "empower", "enable", "engage", "engineer", "enhance", "envisioneer", "evolve",
	"expedite", "exploit", "extend", "facilitate", "generate", "grow", "harness", "implement", "incentivize",
	"incubate", "innovate", "integrate", "iterate", "leverage", "matrix", "maximize", "mesh", "monetize", "morph",
	"optimize", "orchestrate", "productize", "recontextualize", "redefine", "reintermediate", "reinvent",
	"repurpose", "revolutionize", "scale", "seize", "strategize", "streamline", "syndicate", "synergize",
	"synthesize", "target", "transform", "transition", "unleash", "utilize", "visualize", "whiteboard"
};

static const char *const building_number[] = {
	"#####", "####", "###"
};

static const char *const buzzword[] = {
	"Adaptive", "Advanced", "Ameliorated", "Assimilated", "Automated", "Balanced", "Business-focused",
	"Centralized", "Compatible", "Configurable", "Cross-platform", "Customizable", "Decentralized", "Devolved",
	"Digitized", "Distributed", "Diverse", "Down-sized", "Enhanced", "Enterprise-wide", "Ergonomic", "Exclusive",
	"Expanded", "Extended", "Focused", "Front-line", "Fully-configurable", "Function-based", "Fundamental",
	"Future-proofed", "Grass-roots", "Horizontal", "Implemented", "Innovative", "Integrated", "Intuitive",
	"Inverse", "Managed", "Mandatory", "Monitored", "Multi-layered", "Networked", "Object-based", "Open-source",
	"Operative", "Optimized", "Optional", "Organic", "Organized", "Persistent", "Phased", "Polarised",
	"Pre-emptive", "Proactive", "Profound", "Programmable", "Progressive", "Public-key", "Quality-focused",
	"Reactive", "Realigned", "Reduced", "Re-engineered", "Right-sized", "Robust", "Seamless", "Secured",
	"Self-enabling", "Sharable", "Stand-alone", "Streamlined", "Switchable", "Synchronised", "Synergized",
	"Team-oriented", "Total", "Triple-buffered", "Universal", "Up-sized", "Upgradable", "User-centric",
	"Versatile", "Virtual", "Visionary"
};

static const char *const buzzword_middle[] = {
	"24-hour", "3rd generation", "4th generation", "actuating", "analyzing", "asymmetric", "asynchronous",
	"attitude-oriented", "background", "bandwidth-monitored", "bifurcated", "bottom-line", "clear-thinking",
	"client-server", "cohesive", "composite", "content-based", "context-sensitive", "dedicated", "demand-driven",
	"directional", "discrete", "dynamic", "eco-centric", "empowering", "encompassing", "even-keeled", "executive",
	"explicit", "exuding", "fault-tolerant", "foreground", "full-range", "global", "grid-enabled", "heuristic",
	"high-level", "holistic", "homogeneous", "human-resource", "hybrid", "impactful", "incremental", "interactive",
	"intermediate", "leading edge", "local", "logistical", "maximized", "methodical", "mission-critical", "mobile",
	"modular", "motivating", "multimedia", "multi-state", "multi-tasking", "national", "needs-based", "neutral",
	"next generation", "object-oriented", "optimal", "radical", "real-time", "reciprocal", "regional",
	"responsive", "scalable", "secondary", "solution-oriented", "stable", "static", "systematic", "systemic",
	"tangible", "tertiary", "transitional", "uniform", "upward-trending", "user-facing", "value-added",
	"web-enabled", "well-modulated", "zero administration", "zero tolerance"
};

static const char *const buzzword_tail[] = {
	"ability", "access", "adapter", "algorithm", "alliance", "analyzer", "application", "approach", "architecture",
	"archive", "array", "artificial intelligence", "attitude", "benchmark", "budgetary management", "capability",
	"capacity", "challenge", "circuit", "collaboration", "complexity", "concept", "conglomeration", "contingency",
	"core", "customer loyalty", "data-warehouse", "database", "definition", "emulation", "encoding", "encryption",
	"extranet", "firmware", "flexibility", "focus group", "forecast", "frame", "framework", "function",
	"functionalities", "graphical user interface", "groupware", "hardware", "help-desk", "hierarchy", "hub",
	"implementation", "info-mediaries", "infrastructure", "initiative", "installation", "instruction set",
	"interface", "internet solution", "intranet", "knowledge base", "knowledge user", "local area network",
	"matrices", "matrix", "methodology", "middleware", "migration", "model", "moderator", "monitoring",
	"moratorium", "neural-net", "open architecture", "open system", "orchestration", "paradigm", "parallelism",
	"policy", "portal", "pricing structure", "process improvement", "product", "productivity", "project",
	"projection", "protocol", "secured line", "service-desk", "software", "solution", "standardization",
	"strategy", "structure", "success", "superstructure", "support", "synergy", "system engine", "task-force",
	"throughput", "time-frame", "toolset", "utilisation", "website", "workforce"
};

static const char *const catch_phrase[] = {
	"{buzzword} {buzzword_middle} {buzzword_tail}"
};

static const char *const cell_number[] = {
	"###-###-####", "(###) ###-####", "1-###-###-####", "###.###.####"
};

static const char *const city_name[] = {
	"{city_prefix} {first_name}{city_suffix}", "{city_prefix} {first_name}", "{first_name}{city_suffix}",
	"{last_name}{city_suffix}"
};

static const char *const city_prefix[] = {
	"North", "East", "West", "South", "New", "Lake", "Port", "Fort"
};

static const char *const city_suffix[] = {
	"town", "ton", "land", "ville", "berg", "burgh", "borough", "bury", "view", "port", "mouth", "stad", "furt",
	"chester", "fort", "haven", "side", "shire"
};

static const char *const company_name[] = {
	"{last_name} {company_suffix}", "{last_name}-{last_name}", "{last_name}, {last_name} and {last_name}"
};

static const char *const company_suffix[] = {
	"Inc", "and Sons", "LLC", "Group", "GmbH", "Ltd", "Corp", "Partners"
};

static const char *const country_code[] = {
	"AF", "AL", "DZ", "AD", "AO", "AR", "AM", "AU", "AT", "AZ", "BS", "BH", "BD", "BB", "BY", "BE", "BZ", "BJ",
	"BT", "BO", "BA", "BW", "BR", "BN", "BG", "BF", "BI", "KH", "CM", "CA", "CV", "CF", "TD", "CL", "CN", "CO",
	"KM", "CD", "CR", "HR", "CU", "CY", "CZ", "DK", "DJ", "DM", "DO", "EC", "EG", "SV", "EE", "ET", "FJ", "FI",
	"FR", "GA", "GM", "GE", "DE", "GH", "GR", "GD", "GT", "GN", "GY", "HT", "HN", "HU", "IS", "IN", "ID", "IR",
	"IQ", "IE", "IL", "IT", "JM", "JP", "JO", "KZ", "KE", "KI", "KW", "KG", "LA", "LV", "LB", "LS", "LR", "LY",
	"LI", "LT", "LU", "MG", "MW", "MY", "MV", "ML", "MT", "MR", "MU", "MX", "MD", "MC", "MN", "ME", "MA", "MZ",
	"NA", "NP", "NL", "NZ", "NI", "NE", "NG", "NO", "OM", "PK", "PA", "PG", "PY", "PE", "PH", "PL", "PT", "QA",
	"RO", "RW", "WS", "SM", "SA", "SN", "RS", "SC", "SL", "SG", "SK", "SI", "ZA", "KR", "ES", "LK", "SD", "SE",
	"CH", "TJ", "TZ", "TH", "TG", "TO", "TT", "TN", "TR", "UG", "UA", "AE", "GB", "US", "UY", "UZ", "VU", "VE",
	"VN", "YE", "ZM", "ZW"
};

static const char *const country_name[] = {
	"Afghanistan", "Albania", "Algeria", "Andorra", "Angola", "Argentina", "Armenia", "Australia", "Austria",
	"Azerbaijan", "Bahamas", "Bahrain", "Bangladesh", "Barbados", "Belarus", "Belgium", "Belize", "Benin",
	"Bhutan", "Bolivia", "Bosnia and Herzegovina", "Botswana", "Brazil", "Brunei", "Bulgaria", "Burkina Faso",
	"Burundi", "Cambodia", "Cameroon", "Canada", "Cape Verde", "Central African Republic", "Chad", "Chile",
	"China", "Colombia", "Comoros", "Congo", "Costa Rica", "Croatia", "Cuba", "Cyprus", "Czechia", "Denmark",
	"Djibouti", "Dominica", "Dominican Republic", "Ecuador", "Egypt", "El Salvador", "Estonia", "Ethiopia", "Fiji",
	"Finland", "France", "Gabon", "Gambia", "Georgia", "Germany", "Ghana", "Greece", "Grenada", "Guatemala",
	"Guinea", "Guyana", "Haiti", "Honduras", "Hungary", "Iceland", "India", "Indonesia", "Iran", "Iraq", "Ireland",
	"Israel", "Italy", "Jamaica", "Japan", "Jordan", "Kazakhstan", "Kenya", "Kiribati", "Kuwait", "Kyrgyzstan",
	"Laos", "Latvia", "Lebanon", "Lesotho", "Liberia", "Libya", "Liechtenstein", "Lithuania", "Luxembourg",
	"Madagascar", "Malawi", "Malaysia", "Maldives", "Mali", "Malta", "Mauritania", "Mauritius", "Mexico",
	"Moldova", "Monaco", "Mongolia", "Montenegro", "Morocco", "Mozambique", "Namibia", "Nepal", "Netherlands",
	"New Zealand", "Nicaragua", "Niger", "Nigeria", "Norway", "Oman", "Pakistan", "Panama", "Papua New Guinea",
	"Paraguay", "Peru", "Philippines", "Poland", "Portugal", "Qatar", "Romania", "Rwanda", "Samoa", "San Marino",
	"Saudi Arabia", "Senegal", "Serbia", "Seychelles", "Sierra Leone", "Singapore", "Slovakia", "Slovenia",
	"South Africa", "South Korea", "Spain", "Sri Lanka", "Sudan", "Sweden", "Switzerland", "Tajikistan",
	"Tanzania", "Thailand", "Togo", "Tonga", "Trinidad and Tobago", "Tunisia", "Turkey", "Uganda", "Ukraine",
	"United Arab Emirates", "United Kingdom", "United States of America", "Uruguay", "Uzbekistan", "Vanuatu",
	"Venezuela", "Vietnam", "Yemen", "Zambia", "Zimbabwe"
};

static const char *const currency_code[] = {
	"AED", "ARS", "AUD", "BDT", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP", "EUR", "GBP",
	"HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KES", "KRW", "MAD", "MXN", "MYR", "NGN", "NOK", "NZD", "PEN",
	"PHP", "PKR", "PLN", "QAR", "RON", "RSD", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "UYU", "VND",
	"XAF", "ZAR"
};

static const char *const currency_name[] = {
	"United Arab Emirates dirham", "Argentine peso", "Australian dollar", "Bangladeshi taka", "Bulgarian lev",
	"Brazilian real", "Canadian dollar", "Swiss franc", "Chilean peso", "Renminbi", "Colombian peso",
	"Czech koruna", "Danish krone", "Egyptian pound", "Euro", "Pound sterling", "Hong Kong dollar",
	"Hungarian forint", "Indonesian rupiah", "Israeli new shekel", "Indian rupee", "Icelandic krona",
	"Japanese yen", "Kenyan shilling", "South Korean won", "Moroccan dirham", "Mexican peso", "Malaysian ringgit",
	"Nigerian naira", "Norwegian krone", "New Zealand dollar", "Peruvian sol", "Philippine peso",
	"Pakistani rupee", "Polish zloty", "Qatari riyal", "Romanian leu", "Serbian dinar", "Saudi riyal",
	"Swedish krona", "Singapore dollar", "Thai baht", "Turkish lira", "New Taiwan dollar", "Ukrainian hryvnia",
	"United States dollar", "Uruguayan peso", "Vietnamese dong", "Central African franc", "South African rand"
};

static const char *const currency_symbol[] = {
	"د.إ", "$", "$", "৳", "лв", "R$", "$", "CHF", "$", "¥", "$", "Kč", "kr", "£", "€", "£", "$", "Ft", "Rp", "₪",
	"₹", "kr", "¥", "KSh", "₩", "د.م.", "$", "RM", "₦", "kr", "$", "S/", "₱", "₨", "zł", "ر.ق", "lei", "дин",
	"ر.س", "kr", "$", "฿", "₺", "NT$", "₴", "$", "$", "₫", "FCFA", "R"
};

static const char *const dir_path[] = {
	"/{root_directory}/{word}", "/{root_directory}/{word}/{word}"
};

static const char *const domain_suffix[] = {
	"com", "biz", "info", "name", "net", "org"
};

static const char *const example_domain[] = {
	"com", "net", "org"
};

static const char *const field[] = {
	"Marketing", "IT", "Accounting", "Administration", "Advertising", "Banking", "Community-Services",
	"Construction", "Consulting", "Design", "Education", "Farming", "Government", "Healthcare", "Hospitality",
	"Legal", "Manufacturing", "Mining", "Real-Estate", "Retail", "Sales", "Technology"
};

static const char *const file_extension[] = {
	"avi", "bmp", "csv", "doc", "docx", "epub", "flac", "gif", "gz", "html", "ico", "jpg", "js", "json", "md",
	"mov", "mp3", "mp4", "ods", "odt", "pdf", "png", "ppt", "py", "rs", "svg", "tar", "txt", "wav", "webm", "xls",
	"xlsx", "xml", "yaml", "zip"
};

static const char *const file_name[] = {
	"{word}.{file_extension}", "{word}_{word}.{file_extension}"
};

static const char *const file_path[] = {
	"{dir_path}/{word}.{file_extension}"
};

static const char *const first_name[] = {
	"Aaron", "Abigail", "Adam", "Adrian", "Agnes", "Aisha", "Alan", "Albert", "Alice", "Amanda", "Amelia", "Amir",
	"Amy", "Andrea", "Andrew", "Angela", "Anita", "Anna", "Anthony", "Antonio", "Arjun", "Arthur", "Barbara",
	"Beatrice", "Benjamin", "Bernard", "Beth", "Brenda", "Brian", "Bruce", "Camila", "Carl", "Carlos", "Carmen",
	"Carol", "Catherine", "Cecilia", "Charles", "Charlotte", "Chen", "Chloe", "Christian", "Christine", "Clara",
	"Claire", "Daniel", "David", "Deborah", "Dennis", "Diana", "Diego", "Dorothy", "Douglas", "Edith", "Edward",
	"Eleanor", "Elena", "Elias", "Elizabeth", "Ella", "Emily", "Emma", "Eric", "Ethan", "Eugene", "Eva", "Evelyn",
	"Fatima", "Felix", "Fiona", "Florence", "Frances", "Francis", "Frank", "Gabriel", "George", "Gerald", "Gloria",
	"Grace", "Gregory", "Hannah", "Harold", "Harry", "Hassan", "Heather", "Helen", "Henry", "Hiroshi", "Howard",
	"Hugo", "Ian", "Ingrid", "Irene", "Isaac", "Isabella", "Ivan", "Jack", "Jacob", "James", "Jane", "Janet",
	"Jason", "Jean", "Jennifer", "Jeremy", "Jessica", "Joan", "John", "Jonathan", "Jordan", "Jose", "Joseph",
	"Joshua", "Joyce", "Juan", "Judith", "Julia", "Karen", "Katherine", "Keith", "Kenneth", "Kevin", "Kim", "Kyle",
	"Larry", "Laura", "Lauren", "Lawrence", "Leo", "Leila", "Lewis", "Liam", "Linda", "Lisa", "Louis", "Lucas",
	"Lucy", "Luis", "Madison", "Marcus", "Margaret", "Maria", "Marie", "Mark", "Martha", "Martin", "Mary",
	"Matthew", "Maya", "Megan", "Mei", "Melissa", "Michael", "Michelle", "Miguel", "Mohammed", "Monica", "Nadia",
	"Nancy", "Naomi", "Natalie", "Nathan", "Nicholas", "Nicole", "Nina", "Noah", "Nora", "Oliver", "Olivia",
	"Oscar", "Pamela", "Patricia", "Patrick", "Paul", "Pedro", "Peter", "Philip", "Priya", "Rachel", "Ralph",
	"Raymond", "Rebecca", "Richard", "Robert", "Roger", "Ronald", "Rosa", "Rose", "Ruth", "Ryan", "Samuel",
	"Sandra", "Sara", "Scott", "Sean", "Sharon", "Simon", "Sofia", "Sophia", "Stephanie", "Stephen", "Steven",
	"Susan", "Teresa", "Theodore", "Theresa", "Thomas", "Timothy", "Tyler", "Valerie", "Vera", "Victor",
	"Victoria", "Vincent", "Virginia", "Walter", "Wei", "William", "Yasmin", "Yuki", "Zachary", "Zoe"
};

static const char *const industry[] = {
	"Advertising", "Agriculture", "Automotive", "Aviation", "Banking", "Biotechnology", "Broadcasting",
	"Chemicals", "Construction", "Consulting", "Defense", "Education", "Electronics", "Energy", "Entertainment",
	"Fashion", "Finance", "Fishing", "Forestry", "Gaming", "Government", "Healthcare", "Hospitality", "Insurance",
	"Journalism", "Law", "Logistics", "Manufacturing", "Marketing", "Media", "Mining", "Pharmaceuticals",
	"Publishing", "Railways", "Retail", "Robotics", "Security", "Shipping", "Software", "Sports", "Steel",
	"Telecommunications", "Textiles", "Tourism", "Transportation", "Utilities", "Wholesale"
};

static const char *const job_title[] = {
	"{seniority} {field} {position}"
};

static const char *const last_name[] = {
	"Adams", "Ahmed", "Alexander", "Allen", "Anderson", "Andrews", "Bailey", "Baker", "Barnes", "Bell", "Bennett",
	"Bergman", "Black", "Brooks", "Brown", "Bryant", "Butler", "Campbell", "Carter", "Castillo", "Chavez", "Chen",
	"Clark", "Coleman", "Collins", "Cook", "Cooper", "Costa", "Cox", "Cruz", "Davies", "Davis", "Diaz", "Dubois",
	"Edwards", "Ellis", "Evans", "Fernandez", "Fischer", "Fisher", "Flores", "Foster", "Fox", "Garcia", "Gibson",
	"Gomez", "Gonzalez", "Graham", "Gray", "Green", "Griffin", "Gupta", "Hall", "Hamilton", "Hansen", "Harris",
	"Harrison", "Hayes", "Henderson", "Hernandez", "Hill", "Hoffman", "Howard", "Hughes", "Hunt", "Ito", "Jackson",
	"James", "Jenkins", "Jensen", "Jimenez", "Johnson", "Jones", "Jordan", "Kaiser", "Kelly", "Kennedy", "Khan",
	"Kim", "King", "Klein", "Kowalski", "Kumar", "Larsen", "Lee", "Leroy", "Lewis", "Li", "Lin", "Long", "Lopez",
	"Marshall", "Martin", "Martinez", "Mason", "Mendoza", "Meyer", "Miller", "Mitchell", "Moore", "Morales",
	"Moreau", "Morgan", "Morris", "Murphy", "Murray", "Myers", "Nakamura", "Nelson", "Nguyen", "Novak", "Olson",
	"Ortiz", "Owens", "Parker", "Patel", "Perez", "Perry", "Peterson", "Phillips", "Popov", "Powell", "Price",
	"Ramirez", "Reed", "Reyes", "Reynolds", "Richardson", "Rivera", "Roberts", "Robinson", "Rodriguez", "Rogers",
	"Romero", "Rossi", "Ross", "Ruiz", "Russell", "Sanchez", "Sanders", "Santos", "Sato", "Schmidt", "Schneider",
	"Scott", "Shaw", "Silva", "Simmons", "Simpson", "Singh", "Smith", "Stevens", "Stewart", "Sullivan", "Suzuki",
	"Tanaka", "Taylor", "Thomas", "Thompson", "Torres", "Tran", "Turner", "Vargas", "Wagner", "Walker", "Wallace",
	"Wang", "Ward", "Watson", "Weber", "Webb", "Wells", "West", "White", "Williams", "Wilson", "Wong", "Wood",
	"Woods", "Wright", "Yamamoto", "Yang", "Young", "Zhang"
};

static const char *const name[] = {
	"{first_name} {last_name}", "{first_name} {last_name}", "{first_name} {last_name}",
	"{first_name} {last_name} {suffix}"
};

static const char *const name_with_title[] = {
	"{title} {first_name} {last_name}"
};

static const char *const phone_number[] = {
	"###-###-####", "(###) ###-####", "1-###-###-####", "###.###.####"
};

static const char *const position[] = {
	"Supervisor", "Associate", "Executive", "Liaison", "Officer", "Manager", "Engineer", "Specialist", "Director",
	"Coordinator", "Administrator", "Architect", "Analyst", "Designer", "Planner", "Orchestrator", "Technician",
	"Developer", "Producer", "Consultant", "Assistant", "Facilitator", "Agent", "Representative", "Strategist"
};

static const char *const post_code[] = {
	"#####", "#####-####"
};

static const char *const profession[] = {
	"teacher", "actor", "musician", "philosopher", "writer", "doctor", "accountant", "agriculturist", "architect",
	"economist", "engineer", "interpreter", "attorney at law", "advocate", "librarian", "statistician",
	"human resources", "firefighter", "judge", "police officer", "astronomer", "biologist", "chemist", "physicist",
	"programmer", "web developer", "designer", "carpenter", "electrician", "plumber", "nurse", "pharmacist",
	"dentist", "surveyor", "pilot", "sailor", "farmer", "baker", "butcher", "tailor", "journalist", "photographer",
	"translator", "veterinarian", "cashier", "driver", "secretary", "manager"
};

static const char *const rfc_status_code[] = {
	"100", "101", "200", "201", "202", "203", "204", "205", "206", "300", "301", "302", "303", "304", "307", "308",
	"400", "401", "402", "403", "404", "405", "406", "407", "408", "409", "410", "411", "412", "413", "414", "415",
	"416", "417", "421", "422", "426", "428", "429", "431", "500", "501", "502", "503", "504", "505"
};

static const char *const root_directory[] = {
	"etc", "home", "media", "mnt", "opt", "srv", "tmp", "usr", "var"
};

static const char *const secondary_address[] = {
	"{secondary_address_type} ###"
};

static const char *const secondary_address_type[] = {
	"Apt.", "Suite", "Unit", "Floor"
};

static const char *const seniority[] = {
	"Lead", "Senior", "Direct", "Corporate", "Dynamic", "Future", "Product", "National", "Regional", "District",
	"Central", "Global", "Customer", "Investor", "International", "Legacy", "Forward", "Internal", "Human",
	"Chief", "Principal", "Junior"
};

static const char *const state_abbr[] = {
	"AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA",
	"ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK",
	"OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY"
};

static const char *const state_name[] = {
	"Alabama", "Alaska", "Arizona", "Arkansas", "California", "Colorado", "Connecticut", "Delaware", "Florida",
	"Georgia", "Hawaii", "Idaho", "Illinois", "Indiana", "Iowa", "Kansas", "Kentucky", "Louisiana", "Maine",
	"Maryland", "Massachusetts", "Michigan", "Minnesota", "Mississippi", "Missouri", "Montana", "Nebraska",
	"Nevada", "New Hampshire", "New Jersey", "New Mexico", "New York", "North Carolina", "North Dakota", "Ohio",
	"Oklahoma", "Oregon", "Pennsylvania", "Rhode Island", "South Carolina", "South Dakota", "Tennessee", "Texas",
	"Utah", "Vermont", "Virginia", "Washington", "West Virginia", "Wisconsin", "Wyoming"
};

static const char *const street_name[] = {
	"{last_name} {street_suffix}", "{first_name} {street_suffix}"
};

static const char *const street_suffix[] = {
	"Alley", "Avenue", "Branch", "Bridge", "Brook", "Canyon", "Causeway", "Center", "Circle", "Corner", "Court",
	"Cove", "Creek", "Crescent", "Crossing", "Drive", "Estate", "Expressway", "Falls", "Ferry", "Field", "Forest",
	"Garden", "Gateway", "Glen", "Green", "Grove", "Harbor", "Haven", "Heights", "Highway", "Hill", "Hollow",
	"Island", "Junction", "Key", "Knoll", "Lake", "Lane", "Lodge", "Loop", "Manor", "Meadow", "Mill", "Mount",
	"Oval", "Park", "Parkway", "Pass", "Path", "Pike", "Pine", "Place", "Plain", "Plaza", "Point", "Port",
	"Prairie", "Ranch", "Ridge", "River", "Road", "Route", "Row", "Run", "Shore", "Spring", "Square", "Station",
	"Stream", "Street", "Summit", "Terrace", "Trace", "Track", "Trail", "Tunnel", "Turnpike", "Valley", "View",
	"Village", "Vista", "Walk", "Way", "Wells"
};

static const char *const suffix[] = {
	"Jr.", "Sr.", "I", "II", "III", "IV", "V", "MD", "DDS", "PhD", "DVM"
};

static const char *const time_zone[] = {
	"Pacific/Honolulu", "America/Anchorage", "America/Los_Angeles", "America/Tijuana", "America/Denver",
	"America/Phoenix", "America/Chicago", "America/Mexico_City", "America/Bogota", "America/New_York",
	"America/Lima", "America/Caracas", "America/Halifax", "America/Santiago", "America/St_Johns",
	"America/Sao_Paulo", "America/Buenos_Aires", "Atlantic/South_Georgia", "Atlantic/Azores", "Africa/Casablanca",
	"Europe/Dublin", "Europe/Lisbon", "Europe/London", "Africa/Lagos", "Europe/Amsterdam", "Europe/Belgrade",
	"Europe/Berlin", "Europe/Brussels", "Europe/Budapest", "Europe/Copenhagen", "Europe/Madrid", "Europe/Paris",
	"Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Africa/Cairo",
	"Africa/Johannesburg", "Asia/Jerusalem", "Europe/Athens", "Europe/Bucharest", "Europe/Helsinki",
	"Europe/Istanbul", "Europe/Kiev", "Africa/Nairobi", "Asia/Baghdad", "Asia/Riyadh", "Europe/Moscow",
	"Asia/Tehran", "Asia/Baku", "Asia/Tbilisi", "Asia/Kabul", "Asia/Karachi", "Asia/Tashkent", "Asia/Kolkata",
	"Asia/Kathmandu", "Asia/Dhaka", "Asia/Bangkok", "Asia/Jakarta", "Asia/Hong_Kong", "Asia/Kuala_Lumpur",
	"Asia/Shanghai", "Asia/Singapore", "Asia/Taipei", "Australia/Perth", "Asia/Seoul", "Asia/Tokyo",
	"Australia/Adelaide", "Australia/Brisbane", "Australia/Melbourne", "Australia/Sydney", "Pacific/Guam",
	"Pacific/Auckland", "Pacific/Fiji", "Pacific/Tongatapu"
};

static const char *const title[] = {
	"Mr.", "Mrs.", "Ms.", "Miss", "Dr.", "Prof."
};

static const char *const user_agent[] = {
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1##.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/1#.# Safari/605.1.15",
	"Mozilla/5.0 (X11; Linux x86_64; rv:1##.0) Gecko/20100101 Firefox/1##.0",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 1#_# like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/1#.# Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 1#) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1##.0.0.0 Mobile Safari/537.36",
	"curl/7.##.#"
};

static const char *const word[] = {
	"ability", "account", "action", "address", "advice", "air", "amount", "animal", "answer", "apple", "area",
	"argument", "arm", "art", "attention", "baby", "balance", "band", "bank", "base", "basket", "beach", "beauty",
	"bed", "bell", "benefit", "bird", "birth", "board", "boat", "body", "bone", "book", "border", "bottle", "box",
	"boy", "branch", "bread", "breath", "bridge", "brother", "building", "business", "butter", "button", "cake",
	"camera", "camp", "canal", "capital", "car", "card", "care", "case", "cat", "cause", "center", "chain",
	"chair", "chance", "change", "channel", "character", "chart", "child", "choice", "church", "circle", "city",
	"claim", "class", "clock", "cloth", "cloud", "coal", "coat", "coffee", "color", "comfort", "company",
	"computer", "concept", "condition", "control", "cook", "copper", "copy", "cord", "corner", "cotton", "cough",
	"country", "cover", "cup", "current", "curtain", "curve", "damage", "danger", "daughter", "day", "dealer",
	"death", "debate", "debt", "decision", "degree", "design", "desire", "detail", "dinner", "direction",
	"discovery", "discussion", "disease", "distance", "district", "doctor", "dog", "door", "doubt", "drawer",
	"dream", "dress", "drink", "drive", "driver", "dust", "ear", "earth", "edge", "education", "effect", "egg",
	"energy", "engine", "error", "evening", "event", "example", "exchange", "existence", "expansion", "experience",
	"expert", "eye", "face", "fact", "family", "farm", "father", "feather", "feeling", "field", "fire", "fish",
	"flag", "flame", "flight", "floor", "flower", "fly", "food", "foot", "force", "fork", "form", "frame",
	"friend", "fruit", "future", "garden", "gate", "girl", "glass", "glove", "goal", "gold", "government", "grain",
	"grass", "group", "growth", "guide", "hammer", "hand", "harbor", "harmony", "hat", "head", "health", "heart",
	"heat", "help", "history", "hole", "home", "hope", "horse", "hospital", "hour", "house", "humor", "ice",
	"idea", "income", "industry", "ink", "insect", "instrument", "interest", "invention", "iron", "island",
	"jewel", "job", "join", "journey", "judge", "jump", "kettle", "key", "kick", "knee", "knife", "knot",
	"knowledge", "land", "language", "laugh", "law", "lead", "leaf", "learning", "leather", "leg", "letter",
	"level", "library", "light", "line", "link", "lip", "liquid", "list", "lock", "loss", "love", "machine",
	"manager", "map", "mark", "market", "mass", "match", "material", "meal", "measure", "meat", "meeting",
	"memory", "metal", "middle", "milk", "mind", "mine", "minute", "mist", "money", "month", "moon", "morning",
	"mother", "motion", "mountain", "mouth", "move", "music", "nail", "name", "nation", "neck", "need", "needle",
	"nerve", "net", "news", "night", "noise", "north", "note", "number", "object", "offer", "office", "oil",
	"opinion", "orange", "order", "owner", "page", "pain", "paint", "paper", "parcel", "part", "past", "paste",
	"payment", "peace", "pen", "pencil", "person", "picture", "pipe", "place", "plane", "plant", "plate", "play",
	"pleasure", "plough", "pocket", "point", "police", "porter", "position", "pot", "potato", "powder", "power",
	"price", "print", "prison", "process", "produce", "profit", "property", "protest", "pull", "pump", "purpose",
	"push", "quality", "question", "rail", "rain", "range", "rate", "ray", "reaction", "reading", "reason",
	"receipt", "record", "regret", "relation", "request", "respect", "rest", "reward", "rhythm", "rice", "river",
	"road", "roof", "room", "root", "rule", "run", "sail", "salt", "sand", "scale", "school", "science", "screen",
	"sea", "seat", "secret", "seed", "self", "sense", "servant", "shade", "shake", "shame", "shelf", "ship",
	"shirt", "shock", "shoe", "side", "sign", "silk", "silver", "sister", "size", "skin", "sky", "sleep", "slip",
	"slope", "smile", "smoke", "snow", "soap", "society", "song", "sort", "sound", "soup", "space", "spade",
	"sponge", "spoon", "spring", "square", "stage", "stamp", "star", "start", "statement", "station", "steam",
	"stem", "step", "stick", "stitch", "stocking", "stomach", "stone", "stop", "store", "story", "street",
	"stretch", "structure", "substance", "sugar", "suggestion", "summer", "sun", "support", "surprise", "swim",
	"system", "table", "tail", "talk", "taste", "tax", "teaching", "test", "theory", "thing", "thought", "thread",
	"throat", "thumb", "thunder", "ticket", "time", "tin", "toe", "tongue", "tooth", "top", "touch", "town",
	"trade", "train", "transport", "tray", "tree", "trick", "trouble", "trousers", "turn", "twist", "umbrella",
	"unit", "use", "value", "verse", "vessel", "view", "voice", "walk", "wall", "war", "wash", "waste", "watch",
	"water", "wave", "wax", "way", "weather", "week", "weight", "west", "wheel", "whip", "whistle", "wind",
	"window", "wine", "wing", "winter", "wire", "wish", "woman", "wood", "wool", "work", "worm", "wound",
	"writing", "year"
};

static const char *const zip_code[] = {
	"#####", "#####-####"
};

/* clang-format on */

static const struct
{
	const char *name;
	const char *const *words;
	size_t count;
} lists[] = {
	{"bs", bs, sizeof(bs) / sizeof(bs[0])},
	{"bs_adj", bs_adj, sizeof(bs_adj) / sizeof(bs_adj[0])},
	{"bs_noun", bs_noun, sizeof(bs_noun) / sizeof(bs_noun[0])},
	{"bs_verb", bs_verb, sizeof(bs_verb) / sizeof(bs_verb[0])},
	{"building_number", building_number, sizeof(building_number) / sizeof(building_number[0])},
	{"buzzword", buzzword, sizeof(buzzword) / sizeof(buzzword[0])},
	{"buzzword_middle", buzzword_middle, sizeof(buzzword_middle) / sizeof(buzzword_middle[0])},
	{"buzzword_tail", buzzword_tail, sizeof(buzzword_tail) / sizeof(buzzword_tail[0])},
	{"catch_phrase", catch_phrase, sizeof(catch_phrase) / sizeof(catch_phrase[0])},
	{"cell_number", cell_number, sizeof(cell_number) / sizeof(cell_number[0])},
	{"city_name", city_name, sizeof(city_name) / sizeof(city_name[0])},
	{"city_prefix", city_prefix, sizeof(city_prefix) / sizeof(city_prefix[0])},
	{"city_suffix", city_suffix, sizeof(city_suffix) / sizeof(city_suffix[0])},
	{"company_name", company_name, sizeof(company_name) / sizeof(company_name[0])},
	{"company_suffix", company_suffix, sizeof(company_suffix) / sizeof(company_suffix[0])},
	{"country_code", country_code, sizeof(country_code) / sizeof(country_code[0])},
	{"country_name", country_name, sizeof(country_name) / sizeof(country_name[0])},
	{"currency_code", currency_code, sizeof(currency_code) / sizeof(currency_code[0])},
	{"currency_name", currency_name, sizeof(currency_name) / sizeof(currency_name[0])},
	{"currency_symbol", currency_symbol, sizeof(currency_symbol) / sizeof(currency_symbol[0])},
	{"dir_path", dir_path, sizeof(dir_path) / sizeof(dir_path[0])},
	{"domain_suffix", domain_suffix, sizeof(domain_suffix) / sizeof(domain_suffix[0])},
	{"example_domain", example_domain, sizeof(example_domain) / sizeof(example_domain[0])},
	{"field", field, sizeof(field) / sizeof(field[0])},
	{"file_extension", file_extension, sizeof(file_extension) / sizeof(file_extension[0])},
	{"file_name", file_name, sizeof(file_name) / sizeof(file_name[0])},
	{"file_path", file_path, sizeof(file_path) / sizeof(file_path[0])},
	{"first_name", first_name, sizeof(first_name) / sizeof(first_name[0])},
	{"industry", industry, sizeof(industry) / sizeof(industry[0])},
	{"job_title", job_title, sizeof(job_title) / sizeof(job_title[0])},
	{"last_name", last_name, sizeof(last_name) / sizeof(last_name[0])},
	{"name", name, sizeof(name) / sizeof(name[0])},
	{"name_with_title", name_with_title, sizeof(name_with_title) / sizeof(name_with_title[0])},
	{"phone_number", phone_number, sizeof(phone_number) / sizeof(phone_number[0])},
	{"position", position, sizeof(position) / sizeof(position[0])},
	{"post_code", post_code, sizeof(post_code) / sizeof(post_code[0])},
	{"profession", profession, sizeof(profession) / sizeof(profession[0])},
	{"rfc_status_code", rfc_status_code, sizeof(rfc_status_code) / sizeof(rfc_status_code[0])},
	{"root_directory", root_directory, sizeof(root_directory) / sizeof(root_directory[0])},
	{"secondary_address", secondary_address, sizeof(secondary_address) / sizeof(secondary_address[0])},
	{"secondary_address_type", secondary_address_type,
	 sizeof(secondary_address_type) / sizeof(secondary_address_type[0])},
	{"seniority", seniority, sizeof(seniority) / sizeof(seniority[0])},
	{"state_abbr", state_abbr, sizeof(state_abbr) / sizeof(state_abbr[0])},
	{"state_name", state_name, sizeof(state_name) / sizeof(state_name[0])},
	{"street_name", street_name, sizeof(street_name) / sizeof(street_name[0])},
	{"street_suffix", street_suffix, sizeof(street_suffix) / sizeof(street_suffix[0])},
	{"suffix", suffix, sizeof(suffix) / sizeof(suffix[0])},
	{"time_zone", time_zone, sizeof(time_zone) / sizeof(time_zone[0])},
	{"title", title, sizeof(title) / sizeof(title[0])},
	{"user_agent", user_agent, sizeof(user_agent) / sizeof(user_agent[0])},
	{"word", word, sizeof(word) / sizeof(word[0])},
	{"zip_code", zip_code, sizeof(zip_code) / sizeof(zip_code[0])},
};

/* The list of this name, or null; static memory. */
const char *const *
text_words(const char *name, size_t *count)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(lists[i].name, name) == 0)
		{
			*count = lists[i].count;
			return lists[i].words;
		}
	return NULL;
}
