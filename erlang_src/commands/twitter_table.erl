%%% @doc Posts as a table (XEP-0004), for clients that know forms but no pubsub. Whoever was shown a table has
%%% read it. Above the table the posts stand once more as lines, since some clients show no tables.
-module(twitter_table).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/translate.hrl").

-export([latest/2, missed/1]).

%% So many rows are shown at once.
-define(ROWS, 20).

%% @doc A page of the reader's FriendsStream, newest first: the cursors of its first and last row, whether there
%% are newer and older posts, and the table, which says what he has not read.
-spec latest(twitter_reader:reader(), first_page | {'after' | before, Cursor :: binary()}) ->
          {{First :: binary(), Last :: binary()}, {Newer :: boolean(), Older :: boolean()}, xdata()}.
latest(Reader, Anchor) ->
    %% Before they are shown.
    {Unread, Count} = twitter_unread:missed(Reader, ?ROWS),
    New = [key(Post) || Post <- Unread],
    View = twitter_view:open(Reader, {stream, friends}),
    Show = fun(Post) -> {Post, lists:member(key(Post), New)} end,
    {Rows, {Posts, First, Last, Index, Total}} =
        twitter_items:page(View, {newest_first, Anchor, ?ROWS}, Show),
    {{First, Last}, {Index > 0, Index + length(Posts) < Total}, table(View, title(Count), Rows)}.

title(0) -> {?T("The latest posts"), []};
title(Count) -> {?T("The latest posts: ~b that you have not read"), [Count]}.

%% @doc The newest posts that the reader has not read, newest first; and whether there are more.
-spec missed(twitter_reader:reader()) -> none | {xdata(), AreMore :: boolean()}.
missed(Reader) ->
    case twitter_unread:missed(Reader, ?ROWS) of
        {[], _} ->
            none;
        {Posts, Count} ->
            #{friends := Friends} = View = twitter_view:open(Reader, {stream, friends}),
            Times = [twitter_store:micros(At) || #{at := At} <- Posts],
            ok = twitter_unread:seen(Reader, lists:min(Times), lists:max(Times)),
            Rows = [{Post, true} || #{author := Author} = Post <- Posts, lists:keymember(Author, 1, Friends)],
            {table(View, {?T("Posts that you have not read: ~b"), [Count]}, Rows), Count > length(Posts)}
    end.

key(#{author := Author, id := Id}) -> {Author, Id}.

table(#{reader := #{lang := Lang} = Reader} = View, {Title, Args}, Posts) ->
    #xdata{type = result, title = str:translate_and_format(Lang, Title, Args),
           reported = [#xdata_field{var = Var, type = Type, label = translate:translate(Lang, label(Var))}
                       || {Var, Type} <- columns(Reader)],
           fields = [#xdata_field{type = fixed, values = [line(View, Row)]} || Row <- Posts],
           items = [row(View, Row) || Row <- Posts]}.

line(View, {#{at := At, payload := Payload} = Post, IsNew}) ->
    <<Day:10/binary, $T, Minute:5/binary, _/binary>> = xmpp_util:encode_timestamp(At),
    Mark = case IsNew of
               true -> <<"* ">>;
               false -> <<>>
           end,
    <<Mark/binary, Day/binary, " ", Minute/binary, ", ", (name(View, Post))/binary, ": ",
      (twitter_post:title(Payload))/binary>>.

name(#{friends := Friends}, #{author := Author}) ->
    {Author, Name} = lists:keyfind(Author, 1, Friends),
    twitter_nif:title({text, Name}).

%% What others have read nobody knows here.
columns(Reader) ->
    [{<<"author">>, 'text-single'}, {<<"text">>, 'text-single'}, {<<"published">>, 'text-single'}]
        ++ [{<<"new">>, boolean} || twitter_reader:is_at_home(Reader)]
        ++ [{<<"jid">>, 'jid-single'}, {<<"node">>, 'text-single'}].

label(<<"author">>) -> ?T("Author");
label(<<"text">>) -> ?T("Text");
label(<<"published">>) -> ?T("Published");
label(<<"new">>) -> ?T("New");
label(<<"jid">>) -> ?T("Address");
label(<<"node">>) -> ?T("Node").

row(#{reader := Reader} = View, Row) ->
    [#xdata_field{var = Var, values = [value(Var, View, Row)]} || {Var, _Type} <- columns(Reader)].

value(<<"author">>, View, {Post, _}) -> name(View, Post);
%% All of it: rows have room for one line, but clients show how it goes on.
value(<<"text">>, _View, {#{payload := Payload}, _}) ->
    binary:replace(twitter_post:text(Payload), [<<"\r\n">>, <<"\n">>, <<"\r">>], <<" ">>, [global]);
value(<<"published">>, _View, {#{at := At}, _}) -> xmpp_util:encode_timestamp(At);
value(<<"new">>, _View, {_Post, true}) -> <<"1">>;
value(<<"new">>, _View, {_Post, false}) -> <<"0">>;
value(<<"jid">>, _View, {#{author := Author}, _}) -> Author;
%% That below its author: two may have used the same id.
value(<<"node">>, _View, {#{author := Author, id := Id}, _}) -> twitter_path:id({post, {{friend, Author}, Id}}).
