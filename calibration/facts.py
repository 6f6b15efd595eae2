"""The facts that the questions are made of: tables of text, read by ``table``.

A line is a row, "|" parts its fields, "/" parts answers that are equally right, "-" stands for a field that has no
unambiguous answer (a country on two continents, an economy with two currencies). Where usage or politics differ, the
row is left out: a wrong key would teach the estimate that a right answer is wrong.
"""


def table(text: str) -> list[list[str]]:
    r"""Return the rows of a table, each a list of stripped fields.

    >>> table("cat | kitten\n dog | puppy/pup ")
    [['cat', 'kitten'], ['dog', 'puppy/pup']]
    """
    return [[field.strip() for field in line.split("|")] for line in text.strip().splitlines()]


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


# country | capital | continent | language spoken most | currency | level
COUNTRIES = table("""
France | Paris | Europe | French | euro | 1
Germany | Berlin | Europe | German | euro | 1
Italy | Rome | Europe | Italian | euro | 1
Spain | Madrid | Europe | Spanish/Castilian | euro | 1
the United Kingdom | London | Europe | English | pound/sterling | 1
the United States | Washington | North America | English | dollar | 1
Japan | Tokyo | Asia | Japanese | yen | 1
China | Beijing/Peking | Asia | Chinese/Mandarin | yuan/renminbi | 1
India | New Delhi/Delhi | Asia | Hindi | rupee | 1
Russia | Moscow | - | Russian | ruble/rouble | 1
Canada | Ottawa | North America | English | dollar | 1
Australia | Canberra | - | English | dollar | 1
Brazil | Brasilia | South America | Portuguese | real/reais | 1
Egypt | Cairo | Africa | Arabic | pound | 1
Mexico | Mexico City | North America | Spanish | peso | 1
Greece | Athens | Europe | Greek | euro | 1
Portugal | Lisbon | Europe | Portuguese | euro | 1
Ireland | Dublin | Europe | English | euro | 1
Poland | Warsaw | Europe | Polish | zloty | 1
Sweden | Stockholm | Europe | Swedish | krona/kronor | 1
Norway | Oslo | Europe | Norwegian | krone/kroner | 1
Austria | Vienna | Europe | German | euro | 2
Belgium | Brussels | Europe | - | euro | 2
the Netherlands | Amsterdam | Europe | Dutch | euro | 2
Switzerland | Bern/Berne | Europe | German/Swiss German | franc | 2
Denmark | Copenhagen | Europe | Danish | krone/kroner | 2
Finland | Helsinki | Europe | Finnish | euro | 2
Hungary | Budapest | Europe | Hungarian | forint | 2
the Czech Republic | Prague | Europe | - | koruna/crown | 2
Argentina | Buenos Aires | South America | Spanish | peso | 2
Chile | Santiago | South America | Spanish | peso | 2
Peru | Lima | South America | Spanish | sol/sole | 2
Colombia | Bogota | South America | Spanish | peso | 2
Cuba | Havana | North America/Caribbean | Spanish | peso | 2
Turkey | Ankara | - | Turkish | lira | 2
South Korea | Seoul | Asia | Korean | won | 2
Thailand | Bangkok | Asia | Thai | baht | 2
Vietnam | Hanoi | Asia | Vietnamese | dong | 2
Iran | Tehran | Asia | Persian/Farsi | rial | 2
Iraq | Baghdad | Asia | Arabic | dinar | 2
Kenya | Nairobi | Africa | - | shilling | 2
Saudi Arabia | Riyadh | Asia | Arabic | riyal | 2
Pakistan | Islamabad | Asia | - | rupee | 2
Afghanistan | Kabul | Asia | - | afghani | 2
Ukraine | Kyiv/Kiev | Europe | - | hryvnia | 2
New Zealand | Wellington | Oceania | English | dollar | 2
Romania | Bucharest | Europe | Romanian | leu/lei | 3
Bulgaria | Sofia | Europe | Bulgarian | - | 3
Serbia | Belgrade | Europe | Serbian | dinar | 3
Croatia | Zagreb | Europe | Croatian | euro | 3
Slovakia | Bratislava | Europe | Slovak | euro | 3
Slovenia | Ljubljana | Europe | Slovene/Slovenian | euro | 3
Iceland | Reykjavik | Europe | Icelandic | krona/kronur | 3
Estonia | Tallinn | Europe | Estonian | euro | 3
Latvia | Riga | Europe | Latvian | euro | 3
Lithuania | Vilnius | Europe | Lithuanian | euro | 3
Albania | Tirana | Europe | Albanian | lek | 3
Belarus | Minsk | Europe | - | ruble/rouble | 3
the Philippines | Manila | Asia | - | peso | 3
Malaysia | Kuala Lumpur | Asia | Malay | ringgit | 3
Nepal | Kathmandu | Asia | Nepali | rupee | 3
Bangladesh | Dhaka | Asia | Bengali/Bangla | taka | 3
Mongolia | Ulaanbaatar/Ulan Bator | Asia | Mongolian | tugrik/togrog | 3
Cambodia | Phnom Penh | Asia | Khmer/Cambodian | riel | 3
Morocco | Rabat | Africa | Arabic | dirham | 3
Algeria | Algiers | Africa | Arabic | dinar | 3
Tunisia | Tunis | Africa | Arabic | dinar | 3
Libya | Tripoli | Africa | Arabic | dinar | 3
Nigeria | Abuja | Africa | - | naira | 3
Ghana | Accra | Africa | - | cedi | 3
Ethiopia | Addis Ababa | Africa | - | birr | 3
Senegal | Dakar | Africa | - | franc | 3
Uganda | Kampala | Africa | - | shilling | 3
Jordan | Amman | Asia | Arabic | dinar | 3
Lebanon | Beirut | Asia | Arabic | pound/lira | 3
Syria | Damascus | Asia | Arabic | pound/lira | 3
Venezuela | Caracas | South America | Spanish | bolivar | 3
Ecuador | Quito | South America | Spanish | dollar | 3
Uruguay | Montevideo | South America | Spanish | peso | 3
Paraguay | Asuncion | South America | - | guarani | 3
Jamaica | Kingston | North America/Caribbean | - | dollar | 3
Costa Rica | San Jose | North America/Central America | Spanish | colon | 3
North Korea | Pyongyang | Asia | Korean | won | 3
Qatar | Doha | Asia | Arabic | riyal | 3
the United Arab Emirates | Abu Dhabi | Asia | - | dirham | 3
Angola | Luanda | Africa | Portuguese | kwanza | 4
Zambia | Lusaka | Africa | - | kwacha | 4
Zimbabwe | Harare | Africa | - | - | 4
Mozambique | Maputo | Africa | - | metical | 4
Madagascar | Antananarivo | Africa | Malagasy | ariary | 4
Botswana | Gaborone | Africa | - | pula | 4
Namibia | Windhoek | Africa | - | - | 4
Rwanda | Kigali | Africa | Kinyarwanda | franc | 4
Sudan | Khartoum | Africa | Arabic | pound | 4
Somalia | Mogadishu | Africa | Somali | shilling | 4
Mali | Bamako | Africa | - | franc | 4
Niger | Niamey | Africa | - | franc | 4
Chad | N'Djamena/Ndjamena | Africa | - | franc | 4
Cameroon | Yaounde | Africa | - | franc | 4
Tanzania | Dodoma | Africa | Swahili/Kiswahili | shilling | 4
Kazakhstan | Astana | - | - | tenge | 4
Uzbekistan | Tashkent | Asia | Uzbek | som/sum | 4
Azerbaijan | Baku | - | Azerbaijani/Azeri | manat | 4
Armenia | Yerevan | - | Armenian | dram | 4
Georgia (the country in the Caucasus) | Tbilisi | - | Georgian | lari | 4
Oman | Muscat | Asia | Arabic | rial | 4
Yemen | Sanaa/Sana'a | Asia | Arabic | rial | 4
Bahrain | Manama | Asia | Arabic | dinar | 4
Laos | Vientiane | Asia | Lao | kip | 4
Honduras | Tegucigalpa | North America/Central America | Spanish | lempira | 4
Nicaragua | Managua | North America/Central America | Spanish | cordoba | 4
Haiti | Port-au-Prince | North America/Caribbean | Haitian Creole/Creole | gourde | 4
Cyprus | Nicosia | - | Greek | euro | 4
Malta | Valletta | Europe | Maltese | euro | 4
Moldova | Chisinau | Europe | Romanian/Moldovan | leu/lei | 4
North Macedonia | Skopje | Europe | Macedonian | denar | 4
Bosnia and Herzegovina | Sarajevo | Europe | - | mark | 4
Fiji | Suva | Oceania | - | dollar | 5
Papua New Guinea | Port Moresby | Oceania | - | kina | 5
Burkina Faso | Ouagadougou | Africa | - | franc | 5
Togo | Lome | Africa | - | franc | 5
Gabon | Libreville | Africa | French | franc | 5
Sierra Leone | Freetown | Africa | - | leone | 5
Liberia | Monrovia | Africa | - | dollar | 5
Eritrea | Asmara | Africa | - | nakfa | 5
Malawi | Lilongwe | Africa | - | kwacha | 5
Mauritania | Nouakchott | Africa | Arabic | ouguiya | 5
Bhutan | Thimphu | Asia | - | ngultrum | 5
Kyrgyzstan | Bishkek | Asia | Kyrgyz | som | 5
Tajikistan | Dushanbe | Asia | Tajik | somoni | 5
Turkmenistan | Ashgabat | Asia | Turkmen | manat | 5
Suriname | Paramaribo | South America | Dutch | dollar | 5
Guyana | Georgetown | South America | - | dollar | 5
Samoa | Apia | Oceania | Samoan | tala | 5
Tonga | Nuku'alofa/Nukualofa | Oceania | Tongan | pa'anga/paanga | 5
""")

# level | question | answer
PLACES = table("""
1 | What is the largest ocean on Earth? | Pacific
1 | Which continent is the coldest? | Antarctica
1 | What is the highest mountain in the world? | Everest
1 | In which city is the Eiffel Tower? | Paris
1 | In which city would you see Big Ben? | London
1 | In which country are the pyramids of Giza? | Egypt
1 | In which country is the Great Wall? | China
2 | In which city is the Colosseum? | Rome
2 | In which country is the Taj Mahal? | India
2 | In which city is the Statue of Liberty? | New York
2 | What is the largest country in the world by area? | Russia
2 | What is the smallest country in the world? | Vatican/Holy See
2 | What is the largest continent? | Asia
2 | What is the smallest continent? | Australia/Oceania
2 | What is the largest hot desert in the world? | Sahara
2 | Which river flows through London? | Thames
2 | Which river flows through Paris? | Seine
2 | Which ocean lies between Europe and North America? | Atlantic
2 | Which sea lies between Europe and Africa? | Mediterranean
2 | Which state of the United States is the largest by area? | Alaska
3 | Which country is shaped like a boot? | Italy
3 | In which country is Machu Picchu? | Peru
3 | In which city is the Brandenburg Gate? | Berlin
3 | In which country is Mount Fuji? | Japan
3 | In which mountains is Mount Everest? | Himalaya/Himalayas
3 | Which river flows through Vienna and Budapest? | Danube
3 | Which city used to be called Constantinople? | Istanbul
3 | Which canal joins the Mediterranean and the Red Sea? | Suez
3 | Which canal joins the Atlantic and the Pacific? | Panama
3 | What is the highest mountain in Africa? | Kilimanjaro
3 | On which island is the city of Honolulu? | Oahu
4 | What is the deepest lake in the world? | Baikal
4 | What is the highest mountain in South America? | Aconcagua
4 | Which strait separates Spain from Morocco? | Gibraltar
4 | Which strait separates Asia from Alaska? | Bering
4 | In which country is the ancient city of Petra? | Jordan
4 | In which country is Angkor Wat? | Cambodia
4 | What is the largest island in the Mediterranean? | Sicily
4 | Which desert covers much of southern Mongolia? | Gobi
4 | Which river is the longest in Europe? | Volga
5 | What is the highest waterfall in the world? | Angel
5 | Which landlocked country lies entirely inside South Africa? | Lesotho
5 | In which country is Lake Assal, the lowest point of Africa? | Djibouti
5 | Which river forms Victoria Falls? | Zambezi
5 | What is the southernmost capital city of a sovereign state? | Wellington
""")

ELEMENTS = words("""
H Hydrogen He Helium Li Lithium Be Beryllium B Boron C Carbon N Nitrogen O Oxygen F Fluorine Ne Neon
Na Sodium Mg Magnesium Al Aluminium/Aluminum Si Silicon P Phosphorus S Sulfur/Sulphur Cl Chlorine Ar Argon K Potassium
Ca Calcium Sc Scandium Ti Titanium V Vanadium Cr Chromium Mn Manganese Fe Iron Co Cobalt Ni Nickel Cu Copper Zn Zinc
Ga Gallium Ge Germanium As Arsenic Se Selenium Br Bromine Kr Krypton Rb Rubidium Sr Strontium Y Yttrium Zr Zirconium
Nb Niobium Mo Molybdenum Tc Technetium Ru Ruthenium Rh Rhodium Pd Palladium Ag Silver Cd Cadmium In Indium Sn Tin
Sb Antimony Te Tellurium I Iodine Xe Xenon Cs Caesium/Cesium Ba Barium La Lanthanum Ce Cerium Pr Praseodymium
Nd Neodymium Pm Promethium Sm Samarium Eu Europium Gd Gadolinium Tb Terbium Dy Dysprosium Ho Holmium Er Erbium
Tm Thulium Yb Ytterbium Lu Lutetium Hf Hafnium Ta Tantalum W Tungsten/Wolfram Re Rhenium Os Osmium Ir Iridium
Pt Platinum Au Gold Hg Mercury Tl Thallium Pb Lead Bi Bismuth Po Polonium At Astatine Rn Radon Fr Francium Ra Radium
Ac Actinium Th Thorium Pa Protactinium U Uranium Np Neptunium Pu Plutonium Am Americium Cm Curium Bk Berkelium
Cf Californium Es Einsteinium Fm Fermium
""")
"""Symbol and name in turn, by atomic number from 1 to 100."""

FAMOUS_ELEMENTS = words("H He C N O Na Cl K Ca Fe Cu Ag Au Hg Pb")
KNOWN_ELEMENTS = words("Li B F Ne Mg Al Si P S Ar Ti Cr Mn Co Ni Zn Br Kr Sn I Xe Ba W Pt Rn Ra U Pu")

# level | question | answer
SCIENCE = table("""
1 | Which planet do we live on? | Earth
1 | What is frozen water called? | ice
1 | Which star gives the Earth light and warmth? | sun
1 | What do plants need from the sun to grow? | light/sunlight
1 | What gas do humans need to breathe to stay alive? | oxygen
1 | What do bees make? | honey
1 | Which organ pumps blood around the body? | heart
1 | Which organ do we think with? | brain
1 | What do we call water that falls from clouds? | rain
1 | Which part of the body do we hear with? | ear/ears
1 | Which part of the body do we see with? | eye/eyes
1 | Which force pulls things down to the ground? | gravity
1 | What circles around the Earth and shines at night? | moon
1 | Which is the closest star to the Earth? | sun
1 | Which planet is known for its rings? | Saturn
1 | Which planet is called the red planet? | Mars
1 | What colour are most leaves in summer? | green
1 | What colour is a clear sky at noon? | blue
1 | What is the chemical formula of water? | H2O/H₂O
1 | Which organs do we breathe with? | lungs/lung
1 | Which sense do we use our nose for? | smell/smelling
1 | What part of a plant grows under the ground? | root/roots
1 | What is the hard white structure inside our body called? | skeleton/bones/bone
2 | What is the largest planet of the solar system? | Jupiter
2 | Which planet is closest to the sun? | Mercury
2 | What is the boiling point of water at sea level in degrees Celsius? | =100
2 | What is the freezing point of water in degrees Celsius? | =0
2 | How many planets are there in the solar system? | =8
2 | How many bones does an adult human usually have? | =206
2 | How many chambers does the human heart have? | =4
2 | What is the process called by which plants make food from light? | photosynthesis
2 | Which gas do plants take in from the air to make food? | carbon dioxide/CO2
2 | What is the largest animal on Earth? | blue whale
2 | What is the fastest land animal? | cheetah
2 | What is the tallest animal? | giraffe
2 | What do caterpillars turn into? | butterfly/butterflies/moth/moths
2 | What is the hardest natural substance? | diamond
2 | What instrument is used to look at very small things? | microscope
2 | What instrument is used to look at the stars? | telescope
2 | What instrument measures temperature? | thermometer
2 | What is molten rock called once it flows out of a volcano? | lava
2 | What is the centre of an atom called? | nucleus
2 | What is the largest organ of the human body? | skin
2 | Which gas makes up most of the air around us? | nitrogen
2 | Which metal is liquid at room temperature? | mercury
2 | What do we call an animal that eats only plants? | herbivore
2 | What do we call an animal that eats only meat? | carnivore
2 | What force makes a magnet attract iron? | magnetism/magnetic
2 | What do we call molten rock below the ground? | magma
2 | What is the change of a liquid into a gas called? | evaporation/vaporization/vaporisation/boiling
2 | What is the change of a solid into a liquid called? | melting/fusion
2 | What does a compass needle point to? | north
2 | Which blood cells carry oxygen? | red
3 | What is the change of a gas into a liquid called? | condensation
3 | Who discovered penicillin? | Fleming
3 | Who proposed the theory of relativity? | Einstein
3 | Who wrote On the Origin of Species? | Darwin
3 | Who described the three laws of motion named after him? | Newton
3 | What is the unit of electrical resistance? | ohm/ohms
3 | What is the unit of electric current? | ampere/amperes/amp/amps
3 | What is the SI unit of force? | newton/newtons
3 | What is the SI unit of energy? | joule/joules
3 | What is the SI unit of power? | watt/watts
3 | What is the SI unit of frequency? | hertz
3 | What is the chemical formula of table salt? | NaCl
3 | What is the chemical formula of carbon dioxide? | CO2/CO₂
3 | What is the chemical formula of methane? | CH4/CH₄
3 | What is the chemical formula of ammonia? | NH3/NH₃
3 | Which particle in an atom has a negative charge? | electron/electrons
3 | Which particle in an atom has a positive charge? | proton/protons
3 | Which particle in an atom has no charge? | neutron/neutrons
3 | How many pairs of chromosomes does a human body cell usually have? | =23
3 | Which vitamin does the skin make in sunlight? | D
3 | Lack of which vitamin causes scurvy? | C
3 | Which organ produces insulin? | pancreas
3 | Which organ filters the blood and makes urine? | kidney/kidneys
3 | Which part of the cell releases most of its energy? | mitochondrion/mitochondria
3 | What is the green pigment of leaves called? | chlorophyll
3 | Which galaxy is our solar system in? | Milky Way
3 | Which planet has the Great Red Spot? | Jupiter
3 | Which planet is the hottest of the solar system? | Venus
3 | What is the pH of pure water at room temperature? | =7
3 | What is the longest bone of the human body? | femur/thigh bone/thighbone
3 | Which scale measures how hard a mineral is? | Mohs
3 | What do we call the study of earthquakes? | seismology
3 | What do we call the study of the weather? | meteorology
3 | What do we call a scientist who studies fossils? | palaeontologist/paleontologist
3 | What is the smallest prime number? | =2
3 | How many sides does a hexagon have? | =6
3 | How many degrees do the angles of a triangle add up to? | =180
4 | Which scientist discovered radium together with her husband? | Curie
4 | Who first arranged the elements in a periodic table by atomic weight in 1869? | Mendeleev/Mendeleyev
4 | Which element has the highest melting point of all metals? | tungsten/wolfram
4 | What is the SI unit of magnetic flux density? | tesla/teslas
4 | What is the SI unit of electric charge? | coulomb/coulombs
4 | What is the SI unit of pressure? | pascal/pascals
4 | What is the SI unit of capacitance? | farad/farads
4 | Which moon is the largest of the solar system? | Ganymede
4 | Around which planet does the moon Titan move? | Saturn
4 | What is the lightest of the noble gases? | helium
4 | What are positively charged ions called? | cation/cations
4 | What are negatively charged ions called? | anion/anions
4 | Which acid is found in the human stomach? | hydrochloric/HCl
4 | Which sugar is found in milk? | lactose
4 | Which blood type is called the universal donor? | O negative/O-negative/type O
4 | What is the name of the bone of the upper arm? | humerus
4 | What is the name of the thin layer of gas around the Earth that absorbs most ultraviolet light? | ozone
4 | Which layer of the atmosphere lies directly above the troposphere? | stratosphere
4 | Which law says that the pressure of a gas falls as its volume grows at constant temperature? | Boyle/Boyles/Boyle's
4 | What is the process called by which one cell divides into two identical cells? | mitosis
4 | Which base pairs with adenine in DNA? | thymine
4 | Which enzyme in saliva breaks down starch? | amylase
4 | What is the speed of light in vacuum in kilometres per second, to the nearest thousand? | =300000
4 | Which planet spins almost on its side? | Uranus
4 | Which rock is formed when limestone is changed by heat and pressure? | marble
5 | Which base takes the place of thymine in RNA? | uracil
5 | What is the SI unit of inductance? | henry/henrys/henries
5 | What is the SI unit of magnetic flux? | weber/webers
5 | Which physicist stated the exclusion principle for electrons? | Pauli
5 | Which mathematician proved Fermat's Last Theorem? | Wiles
5 | Which particle carries the electromagnetic force? | photon/photons
5 | Which particles carry the strong force between quarks? | gluon/gluons
5 | What is the main mineral of tooth enamel? | hydroxyapatite/apatite
5 | What is the name of the boundary between the crust and the mantle? | Moho/Mohorovicic
5 | What is the name of the mass limit of a white dwarf? | Chandrasekhar
5 | Which temperature in kelvin is zero degrees Celsius, to the nearest whole number? | =273
5 | Which amino acid is coded by the start codon AUG? | methionine
5 | Which hormone do the beta cells of the pancreas release? | insulin
5 | Which element is the most abundant metal in the Earth's crust? | aluminium/aluminum
""")

# level | question | answer
CULTURE = table("""
1 | Who wrote Romeo and Juliet? | Shakespeare
1 | Who painted the Mona Lisa? | Leonardo/da Vinci
1 | Who was the first president of the United States? | Washington
1 | Who was the first person to walk on the moon? | Armstrong
1 | In which month is Christmas Day? | December
1 | What game is played with a racket and a yellow ball over a net on a court? | tennis
1 | Which sport is Lionel Messi famous for? | football/soccer
1 | Which board game has kings, queens and knights? | chess
1 | What colour is the cross on the flag of England? | red
1 | How many strings does a violin have? | =4
1 | How many players does a football (soccer) team have on the pitch? | =11
1 | Which company makes the iPhone? | Apple
1 | Who wrote the Harry Potter books? | Rowling
1 | Which wooden puppet's nose grows when he lies? | Pinocchio
1 | Who lost a glass slipper at the ball? | Cinderella
1 | How many dwarfs live with Snow White? | =7
1 | Which bear loves honey and lives in the Hundred Acre Wood? | Winnie/Pooh
1 | What do people blow out on a birthday cake? | candle/candles
1 | On which day and month does the new year begin in the Western calendar? | January
2 | Who wrote Hamlet? | Shakespeare
2 | Who wrote Oliver Twist? | Dickens
2 | Who wrote Pride and Prejudice? | Austen
2 | Who wrote The Lord of the Rings? | Tolkien
2 | Who wrote Don Quixote? | Cervantes
2 | Who painted The Starry Night? | van Gogh
2 | Who painted the ceiling of the Sistine Chapel? | Michelangelo
2 | Who painted Guernica? | Picasso
2 | Who composed the Moonlight Sonata? | Beethoven
2 | Who composed The Magic Flute? | Mozart
2 | In which year did the Second World War end? | =1945
2 | In which year did the First World War begin? | =1914
2 | Who is said to have invented the telephone, for which he received a patent in 1876? | Bell
2 | Who wrote War and Peace? | Tolstoy
2 | Which ship sank on its first voyage in 1912 after it hit an iceberg? | Titanic
2 | How many rings are on the Olympic flag? | =5
2 | How many keys does a standard piano have? | =88
2 | How many squares are on a chessboard? | =64
2 | In Greek myth, who was the king of the gods? | Zeus
2 | In Greek myth, who was the god of the sea? | Poseidon
2 | Which civil rights leader gave the speech I Have a Dream? | King
2 | Who was the president of the United States during the American Civil War? | Lincoln
2 | Who led India to independence with peaceful protest? | Gandhi
2 | Which queen of Egypt was loved by Julius Caesar and Mark Antony? | Cleopatra
2 | In which country did the Renaissance begin? | Italy
2 | In which country did the Olympic Games begin? | Greece
2 | Which country gave the Statue of Liberty to the United States? | France
3 | In which year did Columbus first reach America? | =1492
3 | In which year did the Berlin Wall fall? | =1989
3 | In which year did the French Revolution begin? | =1789
3 | In which year did people first land on the moon? | =1969
3 | In which year did the United States declare independence? | =1776
3 | Who was the first woman to win a Nobel Prize? | Curie
3 | Who wrote The Odyssey? | Homer
3 | Who wrote the Divine Comedy? | Dante
3 | Who wrote Crime and Punishment? | Dostoevsky/Dostoyevsky
3 | Who wrote Nineteen Eighty-Four? | Orwell
3 | Who wrote Frankenstein? | Shelley
3 | Who wrote Moby-Dick? | Melville
3 | Who wrote The Old Man and the Sea? | Hemingway
3 | Who composed The Four Seasons? | Vivaldi
3 | Who composed Swan Lake? | Tchaikovsky
3 | Who painted Girl with a Pearl Earring? | Vermeer
3 | Who painted The Scream? | Munch
3 | Who painted The Night Watch? | Rembrandt
3 | Who was the first emperor of Rome? | Augustus/Octavian
3 | Who was the first human in space? | Gagarin
3 | Which philosopher was the teacher of Plato? | Socrates
3 | Which philosopher was the teacher of Alexander the Great? | Aristotle
3 | Which country did Napoleon invade in 1812? | Russia
3 | Who is the Roman god of war? | Mars
3 | Who is the Greek goddess of wisdom? | Athena
3 | Who invented the printing press with movable type in Europe? | Gutenberg
3 | Which two-wheeled vehicle is ridden in the Tour de France? | bicycle/bicycles/bike/bikes
4 | In which year was the Magna Carta sealed? | =1215
4 | In which year was the Battle of Hastings? | =1066
4 | In which year was the Battle of Waterloo? | =1815
4 | Who wrote One Hundred Years of Solitude? | Marquez
4 | Who wrote The Trial, about a man called Josef K.? | Kafka
4 | Who wrote Madame Bovary? | Flaubert
4 | Who wrote Faust? | Goethe
4 | Who wrote Ulysses, published in 1922? | Joyce
4 | Who composed The Rite of Spring? | Stravinsky
4 | Who composed the opera Carmen? | Bizet
4 | Who composed the opera La Traviata? | Verdi
4 | Who painted The Birth of Venus? | Botticelli
4 | Who painted The Persistence of Memory? | Dali
4 | Who painted The Kiss, covered in gold leaf? | Klimt
4 | Who sculpted The Thinker? | Rodin
4 | Which explorer's fleet was the first to sail around the world? | Magellan/Elcano
4 | Which English queen ruled when the Spanish Armada was defeated? | Elizabeth
4 | Who crossed the Alps with elephants to attack Rome? | Hannibal
4 | Which city was buried by Vesuvius together with Herculaneum? | Pompeii
5 | Who wrote The Tale of Genji? | Murasaki
5 | Who wrote The Master and Margarita? | Bulgakov
5 | Who composed the opera Tristan und Isolde? | Wagner
5 | Who composed The Planets? | Holst
5 | Who painted Las Meninas? | Velazquez
5 | Who painted The Garden of Earthly Delights? | Bosch
5 | Who painted The Arnolfini Portrait? | Eyck
5 | In which year did the Western Roman Empire fall, by the usual date? | =476
5 | In which year did Constantinople fall to the Ottomans? | =1453
5 | Which treaty of 1648 ended the Thirty Years' War? | Westphalia
5 | Which king of Babylon is known for his code of laws? | Hammurabi
""")

# level | question | answer
EVERYDAY = table("""
1 | What do you use to cut paper? | scissors
1 | What do you use to unlock a door? | key/keys
1 | What do you use to brush your teeth? | toothbrush
1 | What do you wear on your feet when you go outside? | shoes/shoe/boots
1 | What do you wear on your head to keep it warm? | hat/cap/beanie
1 | What do you hold over your head when it rains? | umbrella
1 | What do you sleep on at night? | bed/mattress
1 | What do you use to write on a blackboard? | chalk
1 | What do you use to dry yourself after a shower? | towel
1 | What do you eat soup with? | spoon
1 | What do you use to tell the time on your wrist? | watch
1 | What do you use to sweep the floor? | broom
1 | What do you use to hit a nail into wood? | hammer
1 | In which room do people usually cook? | kitchen
1 | In which room do people usually sleep? | bedroom
1 | In which room do people usually take a shower? | bathroom
1 | Who puts out fires? | firefighter/firefighters/fireman/firemen/fire brigade/fire department
1 | Who teaches children at school? | teacher/teachers
1 | Who flies an aeroplane? | pilot/pilots
1 | Who takes care of your teeth? | dentist/dentists
1 | Who bakes bread? | baker/bakers
1 | Who grows crops and keeps cows? | farmer/farmers
1 | What colour is a ripe banana? | yellow
1 | What colour is fresh snow? | white
1 | What colour is grass? | green
1 | What colour is a ripe strawberry? | red
1 | What colour is coal? | black
1 | What colour is a carrot usually? | orange
1 | What colour do you get when you mix red and white paint? | pink
1 | What do cows give us to drink? | milk
1 | What do hens lay? | egg/eggs
1 | What is the first meal of the day called? | breakfast
1 | Where do you go to borrow books? | library
1 | Where do you go to see a film with many other people? | cinema/theater/theatre
1 | Where do ships dock? | harbour/harbor/port/dock/docks/pier
1 | Where do aeroplanes land? | airport/runway/airports
1 | What do fish live in? | water/sea/ocean
1 | What do you put in a car so that it can drive? | petrol/gas/gasoline/fuel/diesel
1 | Which season is the coldest? | winter
1 | Which season is the warmest? | summer
1 | What do you light to see in the dark when the power fails? | candle/torch/flashlight/lamp/lantern
1 | How many legs does a normal chair have? | =4
1 | How many wheels does a bicycle have? | =2
1 | How many wheels does a tricycle have? | =3
1 | How many fingers are on one hand, with the thumb? | =5
1 | How many eyes do most people have? | =2
1 | How many sides does a triangle have? | =3
1 | How many sides does a square have? | =4
1 | How many letters are in the English alphabet? | =26
1 | How many colours are in a traffic light? | =3
1 | How many seasons are there in a year? | =4
1 | What do you call your mother's mother? | grandmother/grandma/granny
1 | What do you call your father's brother? | uncle
1 | What do you call your mother's sister? | aunt/auntie
1 | Can a fish ride a bicycle? Answer yes or no. | no
1 | Is ice cold? Answer yes or no. | yes
1 | Is fire hot? Answer yes or no. | yes
1 | Can people breathe under water without any equipment? Answer yes or no. | no
1 | Do most birds have feathers? Answer yes or no. | yes
1 | Is a stone softer than a pillow? Answer yes or no. | no
1 | Can you eat a rock? Answer yes or no. | no
1 | Does the sun rise in the east? Answer yes or no. | yes
2 | What do you call your brother's daughter? | niece
2 | What do you call your sister's son? | nephew
2 | What do you call your uncle's child? | cousin
2 | What colour do you get when you mix blue and yellow paint? | green
2 | What colour do you get when you mix red and yellow paint? | orange
2 | What colour do you get when you mix red and blue paint? | purple/violet
2 | What colour do you get when you mix black and white paint? | grey/gray
2 | What do you call a person who repairs water pipes? | plumber
2 | What do you call a person who makes clothes to measure? | tailor/dressmaker/seamstress
2 | What do you call a person who designs buildings? | architect
2 | What do you call a doctor for animals? | vet/veterinarian/veterinary
2 | What do you call a person who cuts hair? | hairdresser/barber/hairstylist/stylist
2 | What do you call a person who writes for a newspaper? | journalist/reporter
2 | What do you call a person who sells meat? | butcher
2 | What do you call a person who sells flowers? | florist
2 | What do you call a person who plays the piano? | pianist
2 | What is bread made from mainly? | flour/wheat
2 | What is cheese made from? | milk
2 | What is wine made from? | grape/grapes
2 | What is paper usually made from? | wood/trees/tree/pulp
2 | What is glass mainly made from? | sand/silica
2 | What is chocolate made from? | cocoa/cacao
2 | From which animal does wool usually come? | sheep
2 | What machine keeps food cold at home? | refrigerator/fridge/freezer
2 | What machine washes clothes? | washing machine/washer
2 | What do you call the meal eaten around noon? | lunch
2 | What happens to ice when it gets warm? | melts/melt/water
2 | On which vehicle do firefighters keep their ladders? | fire engine/fire truck/truck
2 | How many players are on a basketball team on the court? | =5
2 | How many cards are in a standard deck without jokers? | =52
2 | How many teeth does an adult human usually have, with the wisdom teeth? | =32
2 | How many sides does a standard dice have? | =6
2 | How many dots are on all sides of a standard dice together? | =21
2 | How many sides does a pentagon have? | =5
2 | How many sides does an octagon have? | =8
2 | How many strings does a standard guitar have? | =6
2 | How many hours does the hour hand of a clock need for one full turn? | =12
2 | Can a person be older than their own mother? Answer yes or no. | no
2 | Does wood usually float on water? Answer yes or no. | yes
2 | Would a chocolate bar melt in a hot oven? Answer yes or no. | yes
2 | Is a tomato plant an animal? Answer yes or no. | no
2 | Is a kilogram of iron heavier than a kilogram of feathers? Answer yes or no. | no
2 | If you drop a glass on a stone floor, is it likely to break? Answer yes or no. | yes
2 | Does an iron nail usually float on water? Answer yes or no. | no
3 | What gets wetter the more it dries? | towel
3 | What has hands but cannot clap? | clock/watch
3 | What has a neck but no head, and often holds wine? | bottle
3 | What has keys but opens no door, and makes music? | piano/keyboard
3 | What do you call a person who studies the stars? | astronomer
3 | What do you call a person who carves figures in stone? | sculptor
3 | What do you call a person who collects stamps? | philatelist
3 | What is the main ingredient of hummus? | chickpeas/chickpea
3 | What is the main ingredient of guacamole? | avocado/avocados
3 | From which plant is linen made? | flax
3 | Which metal is used in most electrical wires in houses? | copper
3 | What do you call the device that turns wind into electricity? | turbine/windmill
3 | If a plane flies from Paris to London, does it cross the sea? Answer yes or no. | yes
4 | What do you call a word that reads the same forwards and backwards? | palindrome
4 | What do you call a shop that sells writing paper and pens? | stationer/stationers/stationery
4 | What do you call a person who makes barrels? | cooper
4 | What do you call a person who shoes horses? | farrier/blacksmith
4 | What do you call a person who makes maps? | cartographer
4 | What do you call the fear of spiders? | arachnophobia
4 | What do you call the fear of closed spaces? | claustrophobia
4 | What is the main spirit in a mojito? | rum
4 | Which spice is made from the dried stigmas of a crocus? | saffron
5 | What do you call a person who makes arrows? | fletcher
5 | What do you call the little plastic tube at the end of a shoelace? | aglet
5 | What do you call the study of flags? | vexillology
5 | What do you call a group of crows in English? | murder
""")

CATEGORIES = {
    "fruit": "apple banana grape pear cherry mango strawberry pineapple apricot raspberry",
    "vegetable": "carrot onion potato cabbage broccoli spinach lettuce cauliflower radish",
    "mammal": "dog cat horse cow lion tiger elephant rabbit giraffe wolf",
    "bird": "eagle sparrow penguin owl parrot swan crow pigeon ostrich",
    "insect": "ant bee butterfly mosquito beetle wasp grasshopper moth",
    "tool": "hammer saw screwdriver wrench drill chisel",
    "piece of furniture": "chair table sofa bed wardrobe bookcase desk cupboard",
    "vehicle": "car bus train bicycle truck motorcycle tram van",
    "piece of clothing": "shirt jacket coat glove scarf sweater skirt sock",
    "musical instrument": "piano violin guitar flute trumpet cello harp clarinet",
    "colour": "red blue green yellow purple brown pink",
    "sport": "football tennis basketball hockey rugby volleyball handball",
    "part of the body": "nose elbow knee shoulder ankle wrist chin",
    "job": "teacher nurse farmer baker plumber dentist lawyer",
    "shape": "circle square triangle rectangle pentagon hexagon",
}

OVERLAPPING = (
    {"mammal", "job"},  # a nurse is one
    {"mammal", "vehicle"},  # a horse can be one
    {"piece of furniture", "musical instrument"},  # a piano can be both
    {"colour", "fruit"},  # cherry and apricot are both
    {"bird", "mammal"},
    {"bird", "insect"},
    {"insect", "mammal"},
)
"""Kinds whose members could be called members of the other kind, or belong together in a third."""

DISTINCT = ["fruit", "vegetable", "mammal", "bird", "insect", "vehicle", "piece of clothing", "musical instrument"]
"""Kinds of which no member can be said to be of another; a horse may be called a vehicle, so that is not asked."""

# least to most | the comparative towards the end | towards the start
SCALES = (
    (
        ["grain of sand", "ant", "mouse", "cat", "sheep", "horse", "elephant", "house", "mountain", "moon", "sun"],
        "bigger",
        "smaller",
    ),
    (
        ["snail", "walking person", "galloping horse", "express train", "jet plane", "space rocket"],
        "faster",
        "slower",
    ),
    (["feather", "pencil", "apple", "brick", "bicycle", "car", "cargo ship"], "heavier", "lighter"),
)

# animal | young | sound (verb) | class | legs
ANIMALS = table("""
dog | puppy/pup | bark/barks/woof | mammal | 4
cat | kitten | meow/meows/miaow/purr | mammal | 4
cow | calf | moo/moos | mammal | 4
horse | foal/colt/filly | neigh/neighs/whinny | mammal | 4
sheep | lamb | baa/bleat/bleats | mammal | 4
goat | kid | bleat/bleats/baa | mammal | 4
pig | piglet | oink/oinks/grunt/grunts | mammal | 4
lion | cub | roar/roars | mammal | 4
bear | cub | growl/growls/roar | mammal | 4
wolf | pup/cub/puppy | howl/howls | mammal | 4
fox | cub/kit/pup | - | mammal | 4
deer | fawn/calf | - | mammal | 4
kangaroo | joey | - | mammal | -
elephant | calf | trumpet/trumpets | mammal | 4
whale | calf | - | mammal | 0
duck | duckling | quack/quacks | bird | 2
hen | chick | cluck/clucks | bird | 2
goose | gosling | honk/honks | bird | 2
swan | cygnet | - | bird | 2
owl | owlet/chick | hoot/hoots | bird | 2
eagle | eaglet/chick | - | bird | 2
frog | tadpole/froglet/polliwog | croak/croaks/ribbit | amphibian | 4
bee | larva | buzz/buzzes | insect | 6
ant | larva | - | insect | 6
butterfly | caterpillar/larva | - | insect | 6
snake | - | hiss/hisses | reptile | 0
crocodile | hatchling | - | reptile | 4
spider | spiderling | - | arachnid | 8
scorpion | - | - | arachnid | 8
salmon | fry/alevin/smolt/parr | - | fish | 0
shark | pup | - | fish | 0
bat | pup | - | mammal | -
dolphin | calf | click/clicks/whistle/whistles | mammal | 0
penguin | chick | - | bird | 2
lizard | - | - | reptile | 4
donkey | foal/colt | bray/brays/hee-haw | mammal | 4
rabbit | kit/kitten/bunny | - | mammal | 4
""")

# level | question | answer
ZOO = table("""
1 | What does a bee collect from flowers? | nectar/pollen
1 | Which animal is called man's best friend? | dog
1 | Which big cat has stripes? | tiger
1 | Which animal has a very long neck? | giraffe
1 | Which animal has a trunk? | elephant
1 | Which animal carries its house on its back, is slow and has no legs? | snail
1 | Which bird cannot fly, lives in the Antarctic and swims well? | penguin
1 | What do pandas mainly eat? | bamboo
1 | Which animal gives us milk for most cheese? | cow/cows
1 | What do spiders spin to catch flies? | web/webs
1 | Which animal is the king of the jungle in stories? | lion
1 | Which animal hops and keeps its young in a pouch? | kangaroo
2 | Which black and white animal looks like a horse with stripes? | zebra
2 | Where does a bee colony live? | hive/beehive/nest
2 | What is the home of a bird that is made of twigs called? | nest
2 | What is a male chicken called? | rooster/cock/cockerel
2 | What is a female horse called? | mare
2 | What is a male cow called? | bull
2 | What is a female deer called? | doe/hind
2 | What is a female lion called? | lioness
2 | What is a male sheep called? | ram
2 | What is a female sheep called? | ewe
2 | How many arms does an octopus have? | =8
2 | How many wings does a bird have? | =2
2 | How many humps does a dromedary have? | =1
2 | How many humps does a Bactrian camel have? | =2
2 | Which animal sleeps hanging upside down and flies at night? | bat
2 | What is the largest bird alive today? | ostrich
3 | What is a female fox called? | vixen
3 | What is a male duck called? | drake
3 | What is a male goose called? | gander
3 | What is a group of wolves called? | pack
3 | What is a group of lions called? | pride
3 | What is a group of fish called? | school/shoal
3 | What is a group of bees called? | swarm/colony/hive
3 | What is the home of a beaver called? | lodge/dam
3 | What is the home of a rabbit under the ground called? | burrow/warren
3 | Which mammal lays eggs and has a beak like a duck? | platypus
3 | Which mammal can truly fly? | bat/bats
3 | What is the largest reptile alive today? | crocodile/saltwater
3 | How many wings does a bee have? | =4
3 | What is the word for sleeping through the winter, as some animals do? | hibernation/hibernate/hibernating
4 | How many hearts does an octopus have? | =3
4 | What is a male swan called? | cob
4 | What is a female swan called? | pen
4 | What is the home of a badger called? | sett/set
4 | What is the home of an otter called? | holt/den
4 | What is the home of a squirrel called? | drey/dray/nest
4 | What is a baby hare called? | leveret
4 | What is a baby eel called? | elver
4 | Which word means active at night? | nocturnal
5 | What is the nest of an eagle called? | eyrie/aerie
5 | What is a group of ravens called? | unkindness/conspiracy
5 | What is a group of larks called? | exaltation
5 | Which is the only bird with nostrils at the tip of its beak? | kiwi
5 | What is the word for an animal that is active at dawn and dusk? | crepuscular
""")

# level | word | opposites
OPPOSITES = table("""
1 | hot | cold/cool
1 | big | small/little
1 | up | down
1 | day | night
1 | fast | slow
1 | happy | sad/unhappy
1 | good | bad
1 | old | young/new
1 | open | closed/close/shut
1 | black | white
1 | left | right
1 | wet | dry
1 | light | dark/heavy/darkness
1 | tall | short
1 | full | empty
1 | hard | soft/easy
1 | early | late
1 | high | low
1 | love | hate
1 | clean | dirty
1 | in | out
1 | first | last
1 | rich | poor
1 | strong | weak
1 | long | short
2 | loud | quiet/soft/silent
2 | thick | thin
2 | wide | narrow
2 | deep | shallow
2 | push | pull
2 | buy | sell
2 | win | lose
2 | begin | end/finish/stop
2 | true | false/untrue
2 | sweet | sour/bitter
2 | near | far
2 | sharp | blunt/dull
2 | alive | dead
2 | rough | smooth
2 | asleep | awake
2 | cheap | expensive/dear/costly
2 | brave | cowardly/afraid/timid/fearful/scared
2 | arrive | leave/depart
2 | remember | forget
2 | friend | enemy/foe
2 | summer | winter
3 | generous | mean/stingy/selfish/greedy/miserly
3 | ancient | modern/new/recent
3 | victory | defeat/loss
3 | accept | refuse/reject/decline
3 | increase | decrease/reduce/reduction
3 | attack | defend/defence/defense/retreat
3 | guilty | innocent
3 | maximum | minimum
3 | optimist | pessimist
3 | expand | contract/shrink
3 | temporary | permanent
3 | polite | rude/impolite
3 | visible | invisible
3 | import | export
4 | transparent | opaque
4 | horizontal | vertical
4 | scarce | abundant/plentiful
4 | artificial | natural/real
4 | ascend | descend
4 | voluntary | compulsory/involuntary/mandatory/obligatory
4 | synonym | antonym
4 | concave | convex
5 | verbose | concise/terse/laconic/succinct/brief
5 | benign | malignant/malicious/malevolent/harmful
5 | nadir | zenith/peak/apex/summit
""")

# level | singular | plural
PLURALS = table("""
1 | cat | cats
1 | dog | dogs
1 | book | books
1 | car | cars
1 | tree | trees
1 | house | houses
1 | apple | apples
1 | box | boxes
1 | bus | buses/busses
1 | child | children
1 | man | men
1 | woman | women
1 | foot | feet
1 | tooth | teeth
1 | mouse | mice
2 | baby | babies
2 | city | cities
2 | lady | ladies
2 | story | stories
2 | party | parties
2 | watch | watches
2 | glass | glasses
2 | leaf | leaves
2 | knife | knives
2 | wolf | wolves
2 | wife | wives
2 | potato | potatoes
2 | tomato | tomatoes
2 | goose | geese
2 | person | people/persons
3 | ox | oxen
3 | half | halves
3 | thief | thieves
3 | loaf | loaves
3 | hero | heroes
3 | echo | echoes
3 | louse | lice
4 | crisis | crises
4 | analysis | analyses
4 | criterion | criteria
4 | phenomenon | phenomena
4 | hypothesis | hypotheses
4 | bacterium | bacteria
4 | mother-in-law | mothers-in-law
5 | alumnus | alumni
5 | larva | larvae/larvas
5 | matrix | matrices/matrixes
""")

# level | verb | past tense
PASTS = table("""
1 | walk | walked
1 | play | played
1 | look | looked
1 | jump | jumped
1 | go | went
1 | see | saw
1 | eat | ate
1 | run | ran
1 | have | had
1 | make | made
1 | come | came
1 | say | said
1 | give | gave
2 | take | took
2 | write | wrote
2 | drink | drank
2 | sing | sang
2 | swim | swam
2 | buy | bought
2 | think | thought
2 | know | knew
2 | speak | spoke
2 | begin | began
2 | break | broke
2 | fly | flew
2 | stop | stopped
2 | carry | carried
2 | sleep | slept
3 | teach | taught
3 | catch | caught
3 | choose | chose
3 | drive | drove
3 | freeze | froze
3 | hide | hid
3 | ring | rang
3 | steal | stole
3 | throw | threw
3 | wear | wore
3 | lead | led
4 | seek | sought
4 | weave | wove/weaved
4 | flee | fled
4 | cling | clung
4 | forbid | forbade/forbad
4 | shrink | shrank/shrunk
5 | slay | slew/slayed
5 | beseech | besought/beseeched
5 | smite | smote
5 | forsake | forsook
""")

# level | word | comparative
COMPARATIVES = table("""
1 | big | bigger
1 | small | smaller
1 | tall | taller
1 | fast | faster
2 | good | better
2 | bad | worse
2 | happy | happier
2 | hot | hotter
2 | easy | easier
3 | far | farther/further
3 | little (in amount) | less
3 | many | more
""")

# level | word | words that rhyme with it | words that do not
RHYMES = table("""
1 | cat | hat/bat/mat | dog/pen/sun
1 | tree | bee/see/free | book/car/hand
1 | day | play/way/say | night/moon/fish
1 | light | night/right/fight | lamp/dark/stone
2 | house | mouse | horse/home/room
2 | moon | spoon/soon | mood/star/mean
2 | bear | chair/hair/pear | beer/fear/bird
2 | cake | lake/snake | back/bread/kick
3 | blue | shoe/two | blow/low/bowl
3 | bread | red/said | bead/break/road
3 | word | bird/heard | lord/wood/road
4 | tough | stuff/rough | though/cough/through
4 | height | white/kite | weight/eight/heat
5 | colonel | kernel/journal | coral/colony/canal
""")

# level | meaning | word
MEANINGS = table("""
1 | a place where children learn | school
1 | a place where sick people are treated | hospital/clinic
1 | a person who wears a crown and rules a country | king/queen/monarch
1 | the season between winter and summer | spring
1 | the day on which you were born, which you celebrate every year | birthday
2 | a shop that sells medicine | pharmacy/chemist/drugstore
2 | a building where old and precious things are shown | museum
2 | a book that lists words and what they mean | dictionary
2 | a very large area of sand with little rain | desert
2 | land with water all around it | island
2 | a mountain that can throw out fire and ash | volcano
2 | ten years | decade
2 | a hundred years | century
2 | a person who steals | thief/robber/burglar
3 | a thousand years | millennium
3 | a period of two weeks | fortnight
3 | a child whose parents are dead | orphan
3 | a woman whose husband is dead | widow
3 | a man whose wife is dead | widower
3 | the story of a person's life, written by someone else | biography
3 | the story of a person's life, written by that same person | autobiography
3 | a person who does not eat meat | vegetarian/vegan
4 | a word with the same meaning as another word | synonym
4 | able to use both hands equally well | ambidextrous
4 | a government by a king or queen | monarchy
4 | a person who speaks many languages | polyglot/multilingual/linguist
4 | a speech in a play by one person who is alone on the stage | soliloquy/monologue
5 | a government by the rich | plutocracy
5 | a word that sounds like the noise that it names | onomatopoeia
5 | a lover of books | bibliophile
""")

# level | English | Spanish | French | German | Italian
TRANSLATIONS = table("""
1 | dog | perro | chien | Hund | cane
1 | cat | gato | chat | Katze | gatto
1 | house/home | casa | maison | Haus | casa
1 | water | agua | eau | Wasser | acqua
1 | red | rojo | rouge | rot | rosso
1 | thank you/thanks | gracias | merci | danke | grazie
1 | yes | sí | oui | ja | sì
1 | friend | amigo/amiga | ami/amie | Freund/Freundin | amico/amica
1 | goodbye/bye | adiós | au revoir | auf Wiedersehen/tschüss | arrivederci
1 | book | libro | livre | Buch | libro
2 | bread | pan | pain | Brot | pane
2 | milk | leche | lait | Milch | latte
2 | blue | azul | bleu | blau | blu
2 | green | verde | vert | grün | verde
2 | black | negro | noir | schwarz | nero
2 | white | blanco | blanc | weiß | bianco
2 | two | dos | deux | zwei | due
2 | three | tres | trois | drei | tre
2 | ten | diez | dix | zehn | dieci
2 | sun | sol | soleil | Sonne | sole
2 | moon | luna | lune | Mond | luna
2 | day | día | jour | Tag | giorno
2 | night | noche | nuit | Nacht | notte
2 | school | escuela/colegio | école | Schule | scuola
2 | cheese | queso | fromage | Käse | formaggio
2 | man/husband | hombre | homme | Mann | uomo
2 | woman/wife/lady | mujer | femme | Frau | donna
2 | mother/mum/mom | madre | mère | Mutter | madre
2 | father/dad | padre | père | Vater | padre
3 | tree | árbol | arbre | Baum | albero
3 | bird | pájaro/ave | oiseau | Vogel | uccello
3 | apple | manzana | pomme | Apfel | mela
3 | egg | huevo | œuf/oeuf | Ei | uovo
3 | head | cabeza | tête | Kopf | testa
3 | heart | corazón | cœur/coeur | Herz | cuore
3 | king | rey | roi | König | re
3 | brother | hermano | frère | Bruder | fratello
3 | sister | hermana | sœur/soeur | Schwester | sorella
3 | chair | silla | chaise | Stuhl | sedia
3 | window | ventana | fenêtre | Fenster | finestra
3 | door | puerta | porte | Tür | porta
3 | street/road/way | calle | rue | Straße | strada/via
3 | city/town | ciudad | ville/cité | Stadt | città
3 | Sunday | domingo | dimanche | Sonntag | domenica
3 | Monday | lunes | lundi | Montag | lunedì
4 | butterfly | mariposa | papillon | Schmetterling | farfalla
4 | strawberry | fresa/frutilla | fraise | Erdbeere | fragola
4 | spoon | cuchara | cuillère/cuiller | Löffel | cucchiaio
4 | pillow | almohada | oreiller | Kissen | cuscino
4 | bridge | puente | pont | Brücke | ponte
4 | autumn/fall | otoño | automne | Herbst | autunno
5 | squirrel | ardilla | écureuil | Eichhörnchen | scoiattolo
5 | thimble | dedal | dé/dé à coudre | Fingerhut | ditale
5 | hedgehog | erizo | hérisson | Igel | riccio
""")

NAMES = words("Anna Ben Clara David Emma Felix Grace Henry Ivy Jack Kate Leo Mia Noah Olivia Paul Rosa Sam Tina")

WORDS = {
    1: "cat dog sun hat pen box cup map bed fish book tree moon star rain milk",
    2: "apple house water green table bread chair happy river music lemon tiger",
    3: "banana garden window yellow rocket pencil summer orange silver kitten",
    4: "elephant computer mountain birthday notebook umbrella dinosaur sandwich",
    5: "strawberry encyclopedia extraordinary misunderstanding bookkeeper acknowledgement mississippi",
}
