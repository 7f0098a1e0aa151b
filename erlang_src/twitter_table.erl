%%% @doc Posts as a table (XEP-0004), for clients that know forms but no pubsub.
-module(twitter_table).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/translate.hrl").

-export([latest/2]).

%% So many rows are shown at once.
-define(ROWS, 20).

%% @doc A page of the reader's FriendsStream, newest first: the cursors of its first and last row, whether there
%% are newer and older posts, and the table.
-spec latest(twitter_reader:reader(), first_page | {'after' | before, Cursor :: binary()}) ->
          {{First :: binary(), Last :: binary()}, {Newer :: boolean(), Older :: boolean()}, xdata()}.
latest(#{lang := Lang} = Reader, Anchor) ->
    View = twitter_view:open(Reader, {stream, friends}),
    {Rows, {Posts, First, Last, Index, Count}} =
        twitter_items:page(View, {newest_first, Anchor, ?ROWS}, fun(Post) -> row(View, Post) end),
    {{First, Last}, {Index > 0, Index + length(Posts) < Count}, table(Lang, ?T("The latest posts"), Rows)}.

table(Lang, Title, Rows) ->
    #xdata{type = result, title = translate:translate(Lang, Title),
           reported = [#xdata_field{var = Var, type = Type, label = translate:translate(Lang, label(Var))}
                       || {Var, Type} <- columns()],
           items = Rows}.

columns() ->
    [{<<"author">>, 'text-single'}, {<<"text">>, 'text-single'}, {<<"published">>, 'text-single'},
     {<<"jid">>, 'jid-single'}, {<<"node">>, 'text-single'}].

label(<<"author">>) -> ?T("Author");
label(<<"text">>) -> ?T("Text");
label(<<"published">>) -> ?T("Published");
label(<<"jid">>) -> ?T("Address");
label(<<"node">>) -> ?T("Node").

%% The node is that of the post below its author: two may have used the same id.
row(#{friends := Friends}, #{author := Author, id := Id, at := At, payload := Payload}) ->
    {Author, Name} = lists:keyfind(Author, 1, Friends),
    [#xdata_field{var = Var, values = [Value]}
     || {Var, Value} <- [{<<"author">>, twitter_nif:title({text, Name})},
                         {<<"text">>, one_line(twitter_post:text(Payload))},
                         {<<"published">>, xmpp_util:encode_timestamp(At)},
                         {<<"jid">>, Author},
                         {<<"node">>, twitter_path:id({post, {{friend, Author}, Id}})}]].

%% All of it: rows have room for one line, but clients show how it goes on.
one_line(Text) ->
    binary:replace(Text, [<<"\r\n">>, <<"\n">>, <<"\r">>], <<" ">>, [global]).
