%%% Writing and reading by ad-hoc commands (XEP-0050), where people look for them: on the service and on the
%%% rows of the tree. wishes_SUITE has settings and mutes, offers_SUITE to whom commands are offered, dialogs_SUITE what
%%% clients do wrong.
-module(commands_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_post_reaches_friends_and_nobody_else/1,
    the_form_says_what_will_happen/1,
    a_post_is_an_atom_entry/1,
    an_own_post_gets_another_text/1,
    an_own_post_is_deleted/1,
    a_post_that_was_more_than_text/1,
    one_of_the_latest_is_chosen/1,
    friends_posts_as_a_table/1,
    the_table_has_pages/1,
    what_was_missed_is_shown_once/1,
    the_table_says_what_is_new/1,
    no_error_was_logged/1
]).

-define(ROOT, <<"/twitter">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(NS_ATOM, <<"http://www.w3.org/2005/Atom">>).

all() ->
    [
        a_post_reaches_friends_and_nobody_else,
        the_form_says_what_will_happen,
        a_post_is_an_atom_entry,
        an_own_post_gets_another_text,
        an_own_post_is_deleted,
        a_post_that_was_more_than_text,
        one_of_the_latest_is_chosen,
        friends_posts_as_a_table,
        the_table_has_pages,
        what_was_missed_is_shown_once,
        the_table_says_what_is_new,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Posting

%% By the row as Psi does it: one form, no actions. Another device of the author gets the post as well.
a_post_reaches_friends_and_nobody_else(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    Phone = twitter_users:login(Server, twitter_cases:user(Alice)),
    Author = twitter_client:bare(Alice),
    [
        begin
            Form = twitter_dialog:execute(Alice, Node),
            ?assertEqual(<<"executing">>, twitter_dialog:status(Form)),
            ?assertEqual(none, twitter_dialog:actions(Form)),
            ?assertMatch([{<<"text">>, <<"text-multi">>} | _], twitter_dialog:types(Form)),
            Done = twitter_dialog:reply(Alice, Form, Action, [{<<"text">>, [<<"From">>, Node]}]),
            ?assertEqual(<<"completed">>, twitter_dialog:status(Done)),
            ?assertMatch({match, _}, re:run(twitter_dialog:note(Done), "one contact")),
            [{item, Author, Id, [Entry]}] = twitter_events:posts(Server, Bob),
            ?assertEqual(<<"From\n", Node/binary>>, fxml:get_path_s(Entry, [{elem, <<"content">>}, cdata])),
            ?assertMatch([{item, Author, Id, [Entry]}], twitter_events:posts(Server, Phone)),
            ?assertMatch([Id | _], lists:reverse(twitter_reading:ids(Alice, ?MINE)))
        end
     || {Node, Action} <- [{?MINE, <<>>}, {?ROOT, <<"execute">>}, {<<"twitter#post">>, <<"complete">>}]
    ],
    ?assertEqual([], twitter_events:posts(Server, Eve)).

the_form_says_what_will_happen(Config) ->
    Names = [<<"alice">>, <<"bob">>, <<"carol">>, <<"dave">>],
    [Alice | _] = Friends = twitter_cases:friends(Config, Names),
    [Lonely] = twitter_cases:strangers(Config, [<<"lonely">>]),
    Says = fun(Client, What) ->
        Text = iolist_to_binary(twitter_dialog:instructions(twitter_dialog:execute(Client, ?MINE))),
        ?assertMatch({match, _}, re:run(Text, What), Text)
    end,
    Says(Alice, "the 3 contacts who see your presence"),
    %% Who is blocked, or was removed, gets nothing.
    ok = twitter_users:block(Alice, twitter_client:bare(lists:last(Friends))),
    Says(Alice, "the 2 contacts"),
    ok = twitter_users:remove_contact(Alice, twitter_client:bare(lists:nth(3, Friends))),
    Says(Alice, "the one contact"),
    Says(Lonely, "Nobody sees your presence").

%% What XEP-0277 and XEP-0472 ask for.
a_post_is_an_atom_entry(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Id = post(Alice, [<<"Words & <more>">>, <<>>, <<"lines">>]),
    [{Author, Id, #xmlel{name = <<"entry">>} = Entry}] = twitter_reading:entries(Alice, ?MINE),
    Text = fun(Path) -> fxml:get_path_s(Entry, [{elem, Name} || Name <- Path] ++ [cdata]) end,
    ?assertEqual(?NS_ATOM, fxml:get_tag_attr_s(<<"xmlns">>, Entry)),
    ?assertEqual(<<"Words & <more> lines">>, Text([<<"title">>])),
    ?assertEqual(<<"Words & <more>\n\nlines">>, Text([<<"content">>])),
    ?assertEqual(<<"xmpp:", Author/binary>>, Text([<<"author">>, <<"uri">>])),
    ?assertEqual(Text([<<"published">>]), Text([<<"updated">>])),
    ?assertMatch({match, _}, re:run(Text([<<"id">>]), <<"^tag:localhost,.*", Id/binary, "$">>)),
    ?assertMatch([{_, <<"Words & <more> lines">>}], twitter_reading:rows(Alice, ?MINE)).

%%% One's own posts

%% It keeps its place in time, and says when it was changed.
an_own_post_gets_another_text(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Id = post(Alice, [<<"Helo">>, <<"world">>]),
    Later = twitter_requests:publish(Alice, <<"Later">>),
    [{_, Id, Before} | _] = twitter_reading:entries(Alice, ?MINE),
    _ = twitter_events:posts(Server, Bob),
    Form = twitter_dialog:execute(Alice, <<?MINE/binary, "/", Id/binary>>),
    ?assertEqual(none, twitter_dialog:actions(Form)),
    ?assertMatch(#{<<"text">> := [<<"Helo">>, <<"world">>], <<"delete">> := [<<"0">>]}, twitter_dialog:values(Form)),
    Done = twitter_dialog:reply(Alice, Form, <<>>, [{<<"text">>, <<"Hello">>}, {<<"delete">>, <<"0">>}]),
    ?assertEqual(<<"completed">>, twitter_dialog:status(Done)),
    [{_, Id, Edited}, {_, Later, _}] = twitter_reading:entries(Bob, ?FRIENDS),
    Of = fun(Name, Entry) -> fxml:get_path_s(Entry, [{elem, Name}, cdata]) end,
    ?assertEqual(<<"Hello">>, Of(<<"title">>, Edited)),
    [?assertEqual(Of(Name, Before), Of(Name, Edited)) || Name <- [<<"id">>, <<"published">>]],
    ?assert(Of(<<"updated">>, Edited) > Of(<<"updated">>, Before)),
    ?assertMatch([{item, _, Id, [_]}], twitter_events:posts(Server, Bob)).

an_own_post_is_deleted(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Id = post(Alice, <<"Doomed">>),
    Row = <<?MINE/binary, "/", Id/binary>>,
    _ = twitter_events:posts(Server, Bob),
    Form = twitter_dialog:execute(Alice, Row),
    %% The text that comes along means nothing.
    Done = twitter_dialog:reply(Alice, Form, <<>>, [{<<"text">>, <<"Changed">>}, {<<"delete">>, <<"true">>}]),
    ?assertNotEqual(<<>>, twitter_dialog:note(Done)),
    ?assertMatch([{retract, _, Id}], twitter_events:posts(Server, Bob)),
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)),
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_dialog:execute(Alice, Row))).

a_post_that_was_more_than_text(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Rich = twitter_requests:el(<<"song">>, [{<<"xmlns">>, <<"urn:songs">>}], [{xmlcdata, <<"La la">>}]),
    Id = twitter_requests:publish(Alice, Rich),
    Plain = twitter_requests:publish(Alice, <<"La">>),
    Ours = post(Alice, <<"Li">>),
    Warns = fun(Post) ->
        [Text] = twitter_dialog:instructions(twitter_dialog:execute(Alice, <<?MINE/binary, "/", Post/binary>>)),
        match =:= re:run(Text, "more than plain text", [{capture, none}])
    end,
    ?assertEqual([true, false, false], [Warns(Post) || Post <- [Id, Plain, Ours]]),
    Form = twitter_dialog:execute(Alice, <<?MINE/binary, "/", Id/binary>>),
    ?assertMatch(#{<<"text">> := [<<"La la">>]}, twitter_dialog:values(Form)),
    _ = twitter_dialog:reply(Alice, Form, <<>>, [{<<"text">>, <<"La la la">>}]),
    ?assertMatch([{_, Id, #xmlel{name = <<"entry">>}} | _], twitter_reading:entries(Alice, ?MINE)).

%% Next, back, another one, complete.
one_of_the_latest_is_chosen(Config) ->
    [Alice] = twitter_cases:strangers(Config, [<<"alice">>]),
    Empty = twitter_dialog:execute(Alice, <<"twitter#edit">>),
    ?assertEqual(<<"completed">>, twitter_dialog:status(Empty)),
    ?assertNotEqual(<<>>, twitter_dialog:note(Empty)),
    [First, Second] = [twitter_requests:publish(Alice, Text) || Text <- [<<"One">>, <<"Two">>]],
    List = twitter_dialog:execute(Alice, <<"twitter#edit">>),
    ?assertEqual({<<"next">>, [<<"next">>]}, twitter_dialog:actions(List)),
    Labels = twitter_dialog:options(List, <<"post">>),
    ?assertEqual([Second, First], [Id || {Id, _} <- Labels]),
    [?assertMatch({match, _}, re:run(Label, "Two|One")) || {_, Label} <- Labels],
    Form = twitter_dialog:reply(Alice, List, <<"next">>, [{<<"post">>, Second}]),
    ?assertEqual({<<"complete">>, [<<"complete">>, <<"prev">>]}, twitter_dialog:actions(Form)),
    ?assertEqual(twitter_dialog:sid(List), twitter_dialog:sid(Form)),
    ?assertMatch(#{<<"text">> := [<<"Two">>]}, twitter_dialog:values(Form)),
    Back = twitter_dialog:reply(Alice, Form, <<"prev">>, none),
    ?assertEqual(Labels, twitter_dialog:options(Back, <<"post">>)),
    Other = twitter_dialog:reply(Alice, Back, <<"execute">>, [{<<"post">>, First}]),
    ?assertMatch(#{<<"text">> := [<<"One">>]}, twitter_dialog:values(Other)),
    Done = twitter_dialog:reply(Alice, Other, <<"complete">>, [{<<"text">>, <<"1">>}]),
    ?assertEqual(<<"completed">>, twitter_dialog:status(Done)),
    ?assertMatch([{_, First, #xmlel{}}, {_, Second, <<"Two">>}], twitter_reading:entries(Alice, ?MINE)).

%%% Reading

friends_posts_as_a_table(Config) ->
    [Alice, Bob, Carol] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"carol">>]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    ok = twitter_cases:rename(Config, Alice, twitter_client:bare(Bob), <<"Bobby">>),
    %% Two friends may use the same id.
    [{BobJid, _}, {CarolJid, _}] = twitter_cases:chat([Bob, Carol], 1),
    _ = twitter_requests:publish(Alice, <<"Her own">>),
    [
        begin
            Answer = twitter_dialog:execute(Alice, Node),
            ?assertEqual(<<"completed">>, twitter_dialog:status(Answer)),
            ?assertMatch(
                [#{<<"jid">> := CarolJid, <<"author">> := CarolJid, <<"text">> := <<"Post 1">>},
                 #{<<"jid">> := BobJid, <<"author">> := <<"Bobby">>, <<"node">> := _, <<"published">> := _}],
                twitter_dialog:table(Answer)
            ),
            %% For clients that show no tables.
            ?assertMatch([<<_:17/binary, " ", CarolLine/binary>>, <<_:17/binary, " Bobby: Post 1">>]
                             when CarolLine =:= <<CarolJid/binary, ": Post 1">>, twitter_dialog:lines(Answer)),
            [?assertEqual([<<"1">>], twitter_reading:ids(Alice, Row)) || #{<<"node">> := Row} <- twitter_dialog:table(Answer)],
            ?assertEqual([], twitter_dialog:table(twitter_dialog:execute(Eve, Node)))
        end
     || Node <- [?FRIENDS, <<"twitter#latest">>]
    ],
    ok = twitter_users:remove_contact(Bob, twitter_client:bare(Alice)),
    ?assertMatch([#{<<"jid">> := CarolJid}], twitter_dialog:table(twitter_dialog:execute(Alice, ?FRIENDS))).

%% Forth and back; the union of the pages is the stream.
the_table_has_pages(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    Ids = [integer_to_binary(N) || N <- lists:seq(1, 45)],
    _ = twitter_requests:publish_all(Bob, Ids),
    Texts = fun(Answer) -> [Text || #{<<"text">> := Text} <- twitter_dialog:table(Answer)] end,
    First = twitter_dialog:execute(Alice, <<"twitter#latest">>),
    ?assertEqual({<<"next">>, [<<"complete">>, <<"next">>]}, twitter_dialog:actions(First)),
    Second = twitter_dialog:reply(Alice, First, <<"next">>, none),
    ?assertEqual({<<"next">>, [<<"complete">>, <<"next">>, <<"prev">>]}, twitter_dialog:actions(Second)),
    %% What comes meanwhile moves nothing.
    _ = twitter_requests:publish(Bob, <<"Meanwhile">>),
    Third = twitter_dialog:reply(Alice, Second, <<>>, none),
    ?assertEqual({<<"complete">>, [<<"complete">>, <<"prev">>]}, twitter_dialog:actions(Third)),
    All = [<<"Post ", Id/binary>> || Id <- lists:reverse(Ids)],
    ?assertEqual(All, lists:append([Texts(Page) || Page <- [First, Second, Third]])),
    Back = twitter_dialog:reply(Alice, Third, <<"prev">>, none),
    ?assertEqual(Texts(Second), Texts(Back)),
    End = twitter_dialog:reply(Alice, Back, <<"complete">>, none),
    ?assertEqual(<<"completed">>, twitter_dialog:status(End)),
    %% A row can show one page only.
    ?assertEqual(20, length(Texts(twitter_dialog:execute(Alice, ?FRIENDS)))).

%% Page by page, as each is read when it was shown.
what_was_missed_is_shown_once(Config) ->
    Server = twitter_cases:server(Config),
    {Alice0, Bob} = back_after(Config, fun(Bob) -> twitter_requests:publish_all(Bob, [integer_to_binary(N) || N <- lists:seq(1, 25)]) end),
    Texts = fun(Answer) -> [Text || #{<<"text">> := Text, <<"new">> := <<"1">>} <- twitter_dialog:table(Answer)] end,
    Alice = twitter_users:login(Server, Alice0),
    First = twitter_dialog:execute(Alice, <<"twitter#missed">>),
    ?assertEqual({<<"next">>, [<<"complete">>, <<"next">>]}, twitter_dialog:actions(First)),
    ?assertMatch({match, _}, re:run(twitter_dialog:title(First), "25")),
    Second = twitter_dialog:reply(Alice, First, <<"next">>, none),
    ?assertEqual(<<"completed">>, twitter_dialog:status(Second)),
    ?assertEqual([<<"Post ", (integer_to_binary(N))/binary>> || N <- lists:seq(25, 1, -1)], Texts(First) ++ Texts(Second)),
    ?assertEqual(<<"session-expired">>, twitter_dialog:condition(twitter_dialog:reply(Alice, First, <<"next">>, none))),
    Nothing = twitter_dialog:execute(Alice, <<"twitter#missed">>),
    ?assertEqual(<<"completed">>, twitter_dialog:status(Nothing)),
    ?assertNotEqual(<<>>, twitter_dialog:note(Nothing)),
    %% Nobody else has missed anything.
    ?assertNotEqual(<<>>, twitter_dialog:note(twitter_dialog:execute(Bob, <<"twitter#missed">>))).

the_table_says_what_is_new(Config) ->
    Server = twitter_cases:server(Config),
    {Alice0, Bob} = back_after(Config, fun(Bob) -> twitter_requests:publish(Bob, <<"Missed">>) end),
    Alice = twitter_users:login(Server, Alice0),
    _ = twitter_requests:publish(Bob, <<"Sent">>),
    _ = twitter_events:posts(Server, Alice),
    Seen = fun(Answer) -> [{Text, New} || #{<<"text">> := Text, <<"new">> := New} <- twitter_dialog:table(Answer)] end,
    Table = twitter_dialog:execute(Alice, ?FRIENDS),
    ?assertMatch({match, _}, re:run(twitter_dialog:title(Table), " 1 ")),
    ?assertEqual([{<<"Sent">>, <<"0">>}, {<<"Missed">>, <<"1">>}, {<<"Before">>, <<"0">>}], Seen(Table)),
    ?assertMatch([_, <<"* ", _/binary>>, _], twitter_dialog:lines(Table)),
    Again = twitter_dialog:execute(Alice, ?FRIENDS),
    ?assertEqual(nomatch, re:run(twitter_dialog:title(Again), " 1 ")),
    ?assertEqual([{Text, <<"0">>} || {Text, _} <- Seen(Table)], Seen(Again)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Somebody who has read a post of a friend, and is offline while this happens.
back_after(Config, While) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    _ = twitter_requests:publish(Bob, <<"Before">>),
    [_] = twitter_events:posts(Server, Alice),
    User = twitter_cases:user(Alice),
    ok = twitter_client:close(Alice),
    _ = While(Bob),
    ok = twitter_server:settle(Server, <<"pubsub.localhost">>),
    {User, Bob}.

post(Client, Text) ->
    Before = twitter_reading:ids(Client, ?MINE),
    Form = twitter_dialog:execute(Client, ?MINE),
    _ = twitter_answers:result(twitter_dialog:reply(Client, Form, <<>>, [{<<"text">>, Text}])),
    [Id] = twitter_reading:ids(Client, ?MINE) -- Before,
    Id.
