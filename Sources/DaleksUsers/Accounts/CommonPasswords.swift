/// What is tried first by those who guess: words and walks over the keyboard that every published list begins with,
/// none shorter than a password may be.
enum CommonPasswords {
    /// `password` in lower case; `own` are words that nobody but who guesses for this very person or place would try.
    static func contains(_ password: String, besides own: [Substring] = []) -> Bool {
        if words.contains(password[...]) { return true }
        // A word with a year or an exclamation mark behind it is what a word is.
        let ending = password.reversed().prefix { !$0.isLetter }.count
        let stem = password.dropLast(ending)
        if ending <= 4, words.contains(stem) || own.contains(stem) { return true }
        // One sign over and over, or one short piece: aaaaaaaa, abcabcabc.
        let bytes = Array(password.utf8)
        return (1...3).contains { period in
            bytes.count > period && bytes.indices.dropFirst(period).allSatisfy { bytes[$0] == bytes[$0 - period] }
        }
    }

    private static let words: Set<Substring> = Set(
        """
        00000000 01234567 012345678 0123456789 0987654321 1000000000 10203040 1020304050 11223344 1122334455 \
        112233445566 11235813 12121212 123123123 1231231234 1234512345 12345678 123456781 123456789 1234567890 \
        12345678900 123456789a 1234567891 12345678910 123456789q 12345679 1234qwer 12344321 123321123 123454321 \
        123654789 123698745 123qweasd 123qweasdzxc 12341234 13131313 13243546 14141414 14725836 147258369 \
        147852369 159357456 159753456 1a2b3c4d 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 \
        1qw23er4 20202020 21436587 22334455 25802580 31415926 31415927 3edc4rfv 456456456 4815162342 55667788 \
        741852963 753951456 78945612 789456123 87654321 876543210 88888888 963852741 987456321 98765432 987654321 \
        9876543210 99887766 a1234567 a12345678 a123456789 a1b2c3d4 a1b2c3d4e5 aa123456 aa12345678 abc12345 \
        abc123456 abc123abc abcd1234 abcd12345 abcde12345 abcdef12 abcdefg1 abcdefgh abcdefghi access14 adgjmptw \
        adidas123 admin123 admin1234 admin12345 administrator alexander alexandra amanda123 american andromeda \
        angelica anthony1 antonio1 arsenal1 asd123456 asdasdasd asdf1234 asdfasdf asdfgh123 asdfghjk asdfghjkl \
        asdqwe123 austin316 australia azertyuiop babygirl babygirl1 babylove backspace badminton baseball \
        baseball1 basketball basketball1 batman123 beautiful beautiful1 benjamin bethany1 billybob biteme123 \
        blackcat blessed1 blink182 bluebird bluesky1 bonjour1 brandon1 brooklyn brooklyn1 budlight bulldogs \
        butterfly butterfly1 california cambiami cardinal carolina caroline challenge champion changeit changeme \
        changeme1 changeme123 charlie1 charlotte cheese123 chelsea1 chicken1 chocolate chocolate1 chrisbrown \
        christian christina christine christmas christopher cinderella cocacola colorado computer computer1 \
        consumer cookie123 corvette courtney cowboys1 creative cristina cricket1 crystal1 cupcakes daniel123 \
        danielle darkness darkside david123 december default1 diamond1 dolphins dolphin1 dragon123 dragonball \
        dreamers drowssap einstein elephant elizabeth eminem123 evolution explorer facebook facebook1 fireball \
        firebird firefighter fktrcfylh florence florida1 fluffy123 football football1 football123 forever1 \
        forever21 fountain francesca francisco freedom1 friends1 friendship fuckyou1 fuckyou123 fuckyou2 garfield \
        gateway1 geronimo ghbdtnbr giovanni godzilla goldfish google123 grandma1 greenday greenday1 guest1234 \
        guitar123 gwerty123 hallo123 hannah123 happy123 happyday hardcore harley123 harrypotter heather1 hello123 \
        hello1234 hellokitty helloworld hercules hollywood homer123 hotmail1 hottie123 hunter123 hunter22 \
        iceman123 iloveyou iloveyou1 iloveyou12 iloveyou123 iloveyou2 iloveyou! inuyasha internet internet1 \
        ironman1 jackson1 jamaica1 january1 jasmine1 jennifer jennifer1 jessica1 jesus123 jesuschrist john1234 \
        johncena jonathan jordan123 jordan23 juventus karolina katherine kawasaki killer123 kimberly kingkong \
        kristina lakers24 lasvegas lavender legolas1 leonardo letmein1 letmein123 letmein! letmeinnow liberty1 \
        lightning lineage2 linkedin linkinpark liverpool liverpool1 login123 logitech lollipop lovelove loveme123 \
        lovers123 loveyou1 lucky123 madison1 manchester margarita marijuana marlboro master123 masterkey matthew1 \
        maverick maxwell1 mckenzie melissa1 mercedes mercedes1 metallica michael1 michelle michelle1 microsoft \
        midnight mitchell monkey123 monkeyman monster1 montreal morning1 motorola mountain mustang1 myspace1 \
        nathalie nicholas nicole123 nintendo nothing1 november nursing1 october1 oliveira opensesame orange123 \
        p4ssw0rd p@ssw0rd p@ssword pa$$w0rd pa55w0rd pa55word panasonic paradise parola123 pass1234 pass12345 \
        passport passw0rd passw0rd1 password password! password0 password01 password1 password1! password11 \
        password12 password123 password1234 password12345 password123! password2 password21 password3 password4 \
        password5 password7 password9 password99 patricia patriots peaches1 peekaboo pepper123 peternorth phantom1 \
        phoenix1 pineapple playboy1 playstation pokemon1 pokemon123 politics porsche1 portugal predator princesa \
        princess princess1 princess12 princess123 professional q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 qazqazqaz \
        qazwsx123 qazwsxedc qazwsxedcrfv qazxswedc qq123456 qqww1122 qwaszx12 qwe123456 qwe123qwe qweasd123 \
        qweasdzxc qweqweqwe qwer1234 qwert123 qwert12345 qwert54321 qwerty11 qwerty12 qwerty123 qwerty1234 \
        qwerty12345 qwerty123456 qwerty321 qwertyu1 qwertyui qwertyuiop qwertyuiop123 qwertz123 qwertzuiop \
        rainbow1 rangers1 rasta220 realmadrid rebecca1 redskins remember ronaldo7 rosebud1 rootroot samantha \
        samantha1 samsung1 samsung123 sandiego sandra123 santiago sarajevo savannah scorpion scotland sebastian \
        secret123 security september servidor service1 shadow123 shannon1 silver123 simple123 skateboard slipknot \
        slipknot1 smokey123 snickers snowball snowboard snoopy123 soccer123 softball softball1 spiderman \
        spiderman1 spongebob stargate starlight startrek starwars starwars1 steelers stephanie strawberry sterling \
        strength success1 summer123 summer2023 summer2024 sunflower sunshine sunshine1 superman superman1 \
        superman123 superstar swordfish symmetry system32 taekwondo teacher1 teddybear telefono television \
        temp1234 tennis123 test1234 test12345 testing1 testtest thailand thankyou thebest1 thomas123 thunder1 \
        thunderbird tiffany1 tigger123 tinkerbell trinity1 trouble1 trustno1 tweety123 undertaker universe \
        unknown1 vanessa1 veronica vfhbyf123 vacation victoria victoria1 viktoria vladimir volkswagen volleyball \
        volleyball1 warcraft warrior1 welcome1 welcome12 welcome123 welcome2 whatever whatever1 wildcats william1 \
        windows1 winston1 winter123 winter2023 winter2024 wolfgang wonderful woodland worldcup x1234567 \
        xbox360live yamaha123 yankees1 yellow123 yourmom1 zaq12wsx zaq1xsw2 zaqxswcde zxasqw12 zxc123456 zxcasdqwe \
        zxcv1234 zxcvbn123 zxcvbnm1 zxcvbnm123 zxcvbnm, zzzzzzzz !qaz2wsx 1qaz@wsx !@#$%^&*
        """.split(separator: " ")
    )
}
